// What the server shows of itself: counters, diagnostics, profiles. Only what a gateway or an operator looks at.

extension InfluxServer {
    private var shardEntries: [(tags: [(Text, Text)], values: [(String, Int64)])] {
        disk.shards.values.sorted { $0.id < $1.id }.map { shard in
            let path = "\(shard.database)/\(shard.policy)/\(shard.id)"
            let tags: [(Text, Text)] = [
                ("database", shard.database), ("engine", "tsm1"), ("id", Text("\(shard.id)")),
                ("path", Text("\(settings.folder)/data/\(path)")), ("retentionPolicy", shard.policy),
                ("walPath", Text("\(settings.folder)/wal/\(path)")),
            ]
            let figures = process?.shards[shard.id] ?? ShardFigures()
            let values: [(String, Int)] = [
                ("diskBytes", 0), ("fieldsCreate", figures.fieldsCreated), ("seriesCreate", figures.seriesCreated),
                ("writeBytes", 0), ("writePointsDropped", figures.dropped), ("writePointsErr", 0),
                ("writePointsOk", figures.pointsOK), ("writeReq", figures.begun), ("writeReqErr", figures.failed),
                ("writeReqOk", figures.ok),
            ]
            return (tags, values.map { ($0.0, Int64($0.1)) })
        }
    }

    private var httpValues: [(String, Int64)] {
        [
            ("writeReq", Int64(process?.writes ?? 0)), ("writeReqActive", Int64(process?.activeWrites ?? 0)),
        ]
    }

    func stats(_ module: String, now: Int64) -> StatementResult {
        var series = shardEntries.map { entry in
            ResultSeries(
                name: "shard", tags: entry.tags, columns: entry.values.map { Text($0.0) },
                values: [entry.values.map { .integer($0.1) }])
        }
        series.append(
            ResultSeries(
                name: "httpd", tags: [("bind", Text(settings.bind))], columns: httpValues.map { Text($0.0) },
                values: [httpValues.map { .integer($0.1) }]))
        return StatementResult(series: series.filter { module.isEmpty || $0.name == Text(module) })
    }

    func debugVars(now: Int64) -> InfluxAnswer {
        var json = JSONText()
        let started = process?.started ?? 0
        json.raw("{\n\"system\": {\"currentTime\":\"\(GoText.time(now, places: true))\",")
        json.raw("\"started\":\"\(GoText.time(started, places: true))\",")
        json.raw("\"uptime\":\((now - started) / GoText.second)},\n")
        json.raw("\"cmdline\": [\"/usr/bin/influxd\"]")
        func entry(_ key: String, _ name: String, _ tags: [(Text, Text)], _ values: [(String, Int64)]) {
            json.raw(",\n")
            json.string(key)
            json.raw(": {\"name\":\"\(name)\",\"tags\":")
            json.object(tags.map { ($0.0.string, $0.1) }) { $0.string($1.bytes) }
            json.raw(",\"values\":")
            json.object(values) { $0.raw("\($1)") }
            json.raw("}")
        }
        for shard in shardEntries {
            func tag(_ key: Text) -> Text { shard.tags.first { $0.0 == key }?.1 ?? "" }
            entry("shard:\(tag("path")):\(tag("id"))", "shard", shard.tags, shard.values)
        }
        entry("httpd:\(settings.bind)", "httpd", [("bind", Text(settings.bind))], httpValues)
        json.raw("\n}\n")
        var answer = plain("")
        answer.headers = [
            ("Content-Type", "application/json; charset=utf-8"), ("X-Influxdb-Build", "OSS"),
            ("X-Influxdb-Version", settings.version),
        ]
        answer.body = json.bytes
        return answer
    }

    func diagnostics(now: Int64) -> StatementResult {
        let started = process?.started ?? 0
        let sections: [(Text, [(Text, Cell)])] = [
            ("build", [("Branch", .text("unknown")), ("Version", .text(Text(settings.version)))]),
            ("config-cqs", [("enabled", .boolean(settings.runsContinuousQueries))]),
            (
                "config-data",
                [
                    ("cache-max-memory-size", .integer(Int64(settings.cacheLimit))),
                    ("max-values-per-tag", .integer(Int64(settings.maxValuesPerTag))),
                    ("wal-fsync-delay", .text(Text(GoText.duration(settings.walFsyncDelay)))),
                ]
            ),
            ("config-retention", [("check-interval", .text("30m0s")), ("enabled", .boolean(true))]),
            (
                "system",
                [
                    ("PID", .integer(settings.processID)), ("currentTime", .time(now)), ("started", .time(started)),
                    ("uptime", .text(Text(GoText.duration(now - started)))),
                ]
            ),
        ]
        return StatementResult(
            series: sections.map { name, values in
                ResultSeries(
                    name: name, columns: values.map(\.0),
                    values: [
                        values.map { column, cell in
                            // No column of times for the encoder: always text.
                            if case .time(let time) = cell {
                                .text(Text(GoText.time(time, places: true)))
                            } else {
                                cell
                            }
                        }
                    ])
            })
    }

    // MARK: Profiles

    /// As `/debug/pprof/goroutine?debug=1`: writes that are under way are seen in their functions.
    var goroutines: String {
        let active = process?.activeWrites ?? 0
        let underWay = process?.shards.values.reduce(0) { $0 + $1.writing } ?? 0
        var text = "goroutine profile: total \(15 + active + underWay)\n"
        text +=
            "1 @ 0x43f216\n#\t0xaf8d95\tgithub.com/influxdata/influxdb/tsdb/engine/tsm1.(*Engine).compactCache\n\n"
        func stack(_ count: Int, _ functions: [String]) {
            guard count > 0 else { return }
            text += "\(count) @ 0x43f216 0x44f0bc\n"
            for function in functions { text += "#\t0x43f216\tgithub.com/influxdata/influxdb/\(function)+0x10\n" }
            text += "\n"
        }
        stack(
            active, ["coordinator.(*PointsWriter).WritePoints", "services/httpd.(*Handler).serveWrite"])
        stack(
            underWay,
            [
                "tsdb.(*Shard).WritePoints", "tsdb.(*Store).WriteToShard", "coordinator.(*PointsWriter).writeToShard",
            ])
        return text
    }

    /// As `/debug/pprof/heap?debug=1`.
    var heap: String {
        let index = settings.hasTSI ? "tsi1.(*Index).Open" : "inmem.(*Index).CreateSeriesListIfNotExists"
        return "heap profile: 6: 99232 [24: 1858840] @ heap/1048576\n1: 65536 [1: 65536] @ 0x96c36d\n"
            + "#\t0x96c36c\tgithub.com/influxdata/influxdb/tsdb/index/\(index)+0xcc\n\n"
    }
}
