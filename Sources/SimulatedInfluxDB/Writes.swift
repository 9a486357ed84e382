// POST /write: points go to their shards, each shard in steps of its own, and the first error answers while the other
// shards go on (reference 9: M4, M6).

struct WriteTask: Sendable {
    var shards: [ShardWrite]
    /// What is said if nothing else goes wrong.
    var parseFailure: [UInt8]?
    var expired: Int
}

/// What one write has to do in one shard.
struct ShardWrite: Sendable {
    enum Phase: Sendable {
        /// Creates the series and looks which points fit the types of the fields.
        case check
        /// Creates the fields and stores the points.
        case store
    }

    let shard: Int
    var number = 0
    var points: [Point]
    var phase = Phase.check
    /// InfluxDB 1.6 tries once more after any error but a partial write, with the points as the first try left them.
    /// In a new shard the first error is that there is no such shard.
    var isSecondTry: Bool
    /// How many of `points` are to be stored.
    var accepted = 0
    var newFields: [(measurement: Text, field: Text, type: FieldType)] = []
    var partial: String?
}

extension InfluxServer {
    mutating func beginWrite(_ request: InfluxRequest, _ work: inout InfluxWork, now: Int64) {
        process?.writes += 1
        let name = Text(request.parameter("db"))
        guard !name.isEmpty else {
            work.answer = failure(400, "database is required", to: work)
            return
        }
        guard let database = disk.database(name) else {
            work.answer = failure(404, "database not found: \(name.quoted)", to: work)
            return
        }
        if settings.maxBodySize > 0, request.body.count > settings.maxBodySize {
            work.answer = failure(413, "Request Entity Too Large", to: work)
            return
        }
        let precision = request.parameter("precision")
        let (points, failures) = PointsReader(request.body, precision: precision, arrival: now).read()
        let parseFailure = failures.isEmpty ? nil : Array(failures.joined(separator: [Byte.newline]))
        if points.isEmpty, let parseFailure {
            work.answer = failure(400, parseFailure, to: work)
            return
        }
        guard ["", "any", "one", "quorum", "all"].contains(request.parameter("consistency").lowercased()) else {
            work.answer = failure(400, "invalid consistency level", to: work)
            return
        }
        let asked = Text(request.parameter("rp"))
        let policyName = asked.isEmpty ? disk.databases[database].defaultPolicy : asked
        guard let (policy, _) = disk.databases[database].policy(policyName) else {
            work.answer = failure(500, "retention policy not found: \(policyName)", to: work)
            return
        }
        process?.activeWrites += 1
        var task = mapped(points, database: database, policy: policy, now: now)
        task.parseFailure = parseFailure
        for index in task.shards.indices {
            process?.shards[task.shards[index].shard, default: ShardFigures()].begun += 1
            process?.shards[task.shards[index].shard]?.writing += 1
            work.steps.append(step(of: &task.shards[index], &work))
        }
        if task.shards.isEmpty { conclude(task, &work) }
        work.task = .write(task)
    }

    /// The server gives up waiting for its own disk (`write-timeout`): the client hears of it, the write goes on.
    package mutating func timeOut(_ work: inout InfluxWork) {
        guard case .write = work.task, process?.generation == work.generation else { return }
        reply(failure(500, "timeout", to: work), &work)
    }

    private func step(of write: inout ShardWrite, _ work: inout InfluxWork) -> InfluxWork.Step {
        let what = write.phase == .check ? "check" : "store"
        let step = work.step("\(what) \(write.points.count) points in shard \(write.shard)", isConcurrent: true)
        write.number = step.number
        return step
    }

    /// Only the first answer counts.
    private mutating func reply(_ answer: InfluxAnswer, _ work: inout InfluxWork) {
        guard work.answer == nil else { return }
        work.answer = answer
        process?.activeWrites -= 1
    }

    // MARK: Shards

    /// The points by shard; shard groups are made where there is none yet, even if nothing will be stored there.
    private mutating func mapped(_ points: [Point], database: Int, policy: Int, now: Int64) -> WriteTask {
        let duration = disk.databases[database].policies[policy].duration
        let oldest = duration > 0 ? now - duration : -PointsReader.largestTime
        var groups: [ShardGroup] = []
        func group(at time: Int64) -> Int? {
            // Mostly the last one.
            groups.indices.reversed().first { groups[$0].start <= time && time < groups[$0].end }
        }
        let oldShards = disk.lastShard
        for point in points where point.time >= oldest && group(at: point.time) == nil {
            groups.append(makeGroup(at: point.time, database: database, policy: policy))
        }
        var task = WriteTask(
            shards: groups.map { ShardWrite(shard: $0.shard, points: [], isSecondTry: $0.shard > oldShards) },
            expired: 0)
        for point in points {
            // What is too old is stored all the same where a younger point of the request shares its group.
            if let position = group(at: point.time) {
                task.shards[position].points.append(point)
            } else {
                task.expired += 1
            }
        }
        return task
    }

    private mutating func makeGroup(at time: Int64, database: Int, policy: Int) -> ShardGroup {
        if let group = disk.databases[database].policies[policy].group(at: time) { return group }
        let period = disk.databases[database].policies[policy].shardDuration
        let start = GoText.truncated(time, to: period)
        disk.lastGroup += 1
        disk.lastShard += 1
        let end = start.addingReportingOverflow(period)
        let group = ShardGroup(
            id: disk.lastGroup, shard: disk.lastShard, start: start, end: end.overflow ? .max : end.partialValue)
        disk.databases[database].policies[policy].groups.append(group)
        disk.databases[database].policies[policy].groups.sort { ($0.end, $0.start) < ($1.end, $1.start) }
        disk.shards[group.shard] = Shard(
            id: group.shard, database: disk.databases[database].name,
            policy: disk.databases[database].policies[policy].name)
        return group
    }

    // MARK: Steps

    mutating func carryOut(_ position: Int, of task: inout WriteTask, _ work: inout InfluxWork, now: Int64) {
        guard let index = task.shards.firstIndex(where: { $0.number == work.steps[position].number }) else {
            preconditionFailure("each step belongs to a shard")
        }
        var write = task.shards[index]
        task.shards[index].points = []
        var error: String?
        var isOver = true
        if disk.damaged[write.shard] == .pointsPutAside { makeAnew(write.shard) }
        if disk.damaged[write.shard] != nil {
            process?.shards[write.shard]?.failed += 1
            error = "[shard \(write.shard)] unexpected end of JSON input"
        } else if disk.shards[write.shard] == nil {
            // Dropped meanwhile. The server makes it anew, on disk only: no query finds what is written there.
            process?.shards[write.shard]?.ok += 1
        } else if write.phase == .check {
            check(&write)
            write.phase = .store
            isOver = false
        } else {
            error = store(&write, now: now)
            if let first = error, !first.hasPrefix("partial write"), !write.isSecondTry {
                error = nil
                write.isSecondTry = true
                write.phase = .check
                process?.shards[write.shard]?.begun += 1
                isOver = false
            }
        }
        if isOver {
            process?.shards[write.shard]?.writing -= 1
            task.shards.remove(at: index)
            work.steps.remove(at: position)
            if let error {
                let isClients = error.hasPrefix("partial write") || error.hasPrefix("field type conflict")
                reply(failure(isClients ? 400 : 500, error, to: work), &work)
            }
            if task.shards.isEmpty { conclude(task, &work) }
        } else {
            work.steps[position] = step(of: &write, &work)
            task.shards[index] = write
        }
    }

    private mutating func conclude(_ task: WriteTask, _ work: inout InfluxWork) {
        if task.expired > 0 {
            reply(
                failure(400, "partial write: points beyond retention policy dropped=\(task.expired)", to: work), &work)
        } else if let words = task.parseFailure {
            reply(failure(400, Array("partial write: ".utf8) + words + Array(" dropped=0".utf8), to: work), &work)
        } else {
            reply(answer(204, to: work), &work)
        }
    }

    /// Series are made, also of points that are refused then (reference: http 5). What is accepted moves to the front
    /// of the points, over what stood there: the second try gets that.
    private mutating func check(_ write: inout ShardWrite) {
        var reason = ""
        var dropped = 0
        var candidates: [Point] = []
        for point in write.points {
            if !isKnown(point, in: write.shard), point.key.tagsOfKey.contains(where: { $0.key == "time" }) {
                if reason.isEmpty {
                    reason = "invalid tag key: input tag \"time\" on measurement \"\(point.measurement)\" is invalid"
                }
                dropped += 1
            } else {
                candidates.append(point)
            }
        }
        for (index, point) in candidates.enumerated() { write.points[index] = point }
        let beyond = createSeries(of: candidates, in: write.shard)
        if let words = beyond.reason { reason = words }
        dropped += beyond.dropped
        write.newFields = []
        var accepted: [Point] = []
        for (index, point) in candidates.enumerated() {
            guard point.fields.contains(where: { $0.name != "time" }) else {
                if reason.isEmpty {
                    reason =
                        "invalid field name: input field \"time\" on measurement \"\(point.measurement)\" is invalid"
                }
                dropped += 1
                continue
            }
            if beyond.indices.contains(index) { continue }
            let types = disk.shards[write.shard]?.measurements[point.measurement]?.types ?? [:]
            if let (field, type) = conflict(point, types) {
                if reason.isEmpty {
                    reason =
                        "field type conflict: input field \"\(field.name)\" on measurement \"\(point.measurement)\""
                        + " is type \(field.value.type), already exists as type \(type)"
                }
                dropped += 1
                continue
            }
            accepted.append(point)
            for field in point.fields where field.name != "time" && types[field.name] == nil {
                write.newFields.append((point.measurement, field.name, field.value.type))
            }
        }
        for (index, point) in accepted.enumerated() { write.points[index] = point }
        write.accepted = accepted.count
        write.partial = dropped > 0 ? "partial write: \(reason) dropped=\(dropped)" : nil
        process?.shards[write.shard]?.dropped += dropped
    }

    private func conflict(
        _ point: Point, _ types: [Text: FieldType]
    ) -> (field: (name: Text, value: FieldValue), type: FieldType)? {
        for field in point.fields where field.name != "time" {
            if let type = types[field.name], type != field.value.type { return (field, type) }
        }
        return nil
    }

    private func isKnown(_ point: Point, in shard: Int) -> Bool {
        disk.shards[shard]?.measurements[point.measurement]?.series[point.key] != nil
    }

    /// Which points' series the index does not take; the others are in it then.
    private mutating func createSeries(
        of points: [Point], in shard: Int
    ) -> (reason: String?, dropped: Int, indices: Set<Int>) {
        var reason: String?
        var refused: Set<Int> = []
        var fresh: [(Point, [Tag])] = []
        for (index, point) in points.enumerated() where !isKnown(point, in: shard) {
            let tags = point.key.tagsOfKey
            if let words = tagLimit(point, tags, in: shard) {
                if reason == nil { reason = words }
                refused.insert(index)
            } else {
                fresh.append((point, tags))
            }
        }
        for (point, tags) in fresh where !isKnown(point, in: shard) {
            disk.shards[shard]?.measurements[point.measurement, default: Measurement()].series[point.key] = Series(
                tags: tags)
            process?.shards[shard]?.seriesCreated += 1
        }
        return (reason, refused.count, refused)
    }

    /// The limit looks at what is in the index, not at what the same request is about to add.
    private func tagLimit(_ point: Point, _ tags: [Tag], in shard: Int) -> String? {
        guard settings.maxValuesPerTag > 0, !settings.hasTSI, let database = disk.shards[shard]?.database else {
            return nil
        }
        let all = disk.shards(of: database).compactMap { disk.shards[$0]?.measurements[point.measurement] }
        guard all.reduce(0, { $0 + $1.series.count }) >= settings.maxValuesPerTag else { return nil }
        for tag in tags {
            var values: Set<Text> = []
            for measurement in all {
                for series in measurement.series.values {
                    if let value = series.tags.first(where: { $0.key == tag.key })?.value { values.insert(value) }
                }
            }
            if !values.contains(tag.value), values.count >= settings.maxValuesPerTag {
                return "max-values-per-tag limit exceeded (\(values.count)/\(settings.maxValuesPerTag)): "
                    + "measurement=\(point.measurement.quoted) tag=\(tag.key.quoted) value=\(tag.value.quoted)"
            }
        }
        return nil
    }

    /// The error, if there is one; a partial write is one that was stored.
    private mutating func store(_ write: inout ShardWrite, now: Int64) -> String? {
        let points = write.points.prefix(write.accepted)
        willChange(write.shard, now: now)
        for (measurement, field, type) in write.newFields {
            let known = disk.shards[write.shard]?.measurements[measurement]?.types[field]
            // Made since it was looked for, by this request or another. The counters never hear of the end of this.
            if let known, known != type { return "field type conflict" }
            if known == nil {
                disk.shards[write.shard]?.measurements[measurement, default: Measurement()].types[field] = type
                process?.shards[write.shard]?.fieldsCreated += 1
            }
        }
        let size = points.reduce(0) { sum, point in point.fields.reduce(sum) { $0 + $1.value.size } }
        let held = disk.shards[write.shard]?.cacheBytes ?? 0
        if settings.cacheLimit > 0, held + size > settings.cacheLimit {
            process?.shards[write.shard]?.failed += 1
            return "engine: cache-max-memory-size exceeded: (\(held + size)/\(settings.cacheLimit))"
        }
        disk.shards[write.shard]?.cacheBytes += size
        for point in points {
            for field in point.fields where field.name != "time" {
                // Points whose series was dropped since it was made are stored, and nothing finds them.
                disk.shards[write.shard]?.measurements[point.measurement]?.series[point.key]?
                    .columns[field.name, default: Column()].set(field.value, at: point.time)
            }
        }
        process?.shards[write.shard]?.ok += 1
        process?.shards[write.shard]?.pointsOK += points.count
        return write.partial
    }

    /// Keeps what a power loss would leave of a shard.
    mutating func willChange(_ id: Int, now: Int64) {
        guard settings.walFsyncDelay > 0, let shard = disk.shards[id] else { return }
        if let held = unsynced[id], now < held.since &+ settings.walFsyncDelay { return }
        unsynced[id] = UnsyncedShard(synced: shard, since: now)
    }
}
