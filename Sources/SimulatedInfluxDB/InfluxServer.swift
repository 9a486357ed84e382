// One InfluxDB 1.6 server as its clients and its operator see it: what is on its disk and in its process. A value
// without clock, chance or I/O: the same calls give the same bytes. Whoever drives it decides when each step of a
// request takes effect, when the process dies, and what the wall clock says.
//
// What it does is what was measured on 1.6.7 (reference: influxdb-1x-http.md), late effects included: a request whose
// client has left is carried out, a 400 may come while another shard is still being written, a 500 `timeout` lands
// later, the head of a query comes before anything is executed.

package struct InfluxServer: Sendable {
    package struct Settings: Sendable {
        package var version = "1.6.7~rc0"
        package var processID: Int64 = 1
        /// The index `tsi1`; else `inmem`, which alone knows `maxValuesPerTag`.
        package var hasTSI = false
        /// Bytes that the cache of a shard may hold; a write beyond it is a 500. Zero: no limit.
        package var cacheLimit = 0
        /// Zero: no limit.
        package var maxValuesPerTag = 100_000
        package var maxBodySize = 25_000_000
        /// How long a write may wait for its sync: what a power loss may take back. Nanoseconds.
        package var walFsyncDelay: Int64 = 0
        package var debugVarsOpen = true
        package var pprofOpen = true
        /// Shown only: the model never runs a continuous query.
        package var runsContinuousQueries = false
        /// Where it says that its data lies.
        package var folder = "/var/lib/influxdb"
        package var bind = ":8086"

        package init() {}
    }

    package var settings: Settings
    /// What the model was asked and does not know. A simulation with anything in here has proved nothing.
    package var unknown: [String] = []

    var disk: InfluxDisk
    var process: Process?
    /// By number: as they were last known to be on the medium. Only with `walFsyncDelay`.
    var unsynced: [Int: UnsyncedShard] = [:]
    private var generation = 0
    private var lastWork = 0

    struct UnsyncedShard: Sendable {
        var synced: Shard
        var since: Int64
    }

    /// A server that does not run yet, with what a disk holds.
    package init(disk: InfluxDisk = InfluxDisk(), settings: Settings = Settings()) {
        self.disk = disk
        self.settings = settings
    }

    // MARK: The process

    package var isRunning: Bool { process != nil }

    /// - Parameter now: the wall clock; the process is known by it.
    package mutating func start(now: Int64) {
        generation += 1
        process = Process(generation: generation, started: now)
        for id in disk.shards.keys { disk.shards[id]?.cacheBytes = 0 }
        if !settings.hasTSI { disk.forgetEmptySeries() }
        for (id, damage) in disk.damaged {
            switch damage {
            case .index: break
            case .points: disk.damaged[id] = .pointsPutAside
            case .pointsPutAside: makeAnew(id)
            }
        }
    }

    /// In the place of one whose points were put aside.
    mutating func makeAnew(_ id: Int) {
        disk.damaged[id] = nil
        for database in disk.databases {
            for policy in database.policies where policy.groups.contains(where: { $0.shard == id }) {
                disk.shards[id] = Shard(id: id, database: database.name, policy: policy.name)
            }
        }
    }

    /// Damages one of the shards, so that it is listed and not opened at the next start. Not while it runs.
    /// - Parameter number: any; the same one means the same shard.
    /// - Returns: the shard, for people; nil: there is none.
    @discardableResult
    package mutating func damageShard(_ number: UInt64, _ damage: ShardDamage) -> String? {
        precondition(process == nil, "the data of a server that runs is its own")
        let ids = disk.shards.keys.sorted()
        guard !ids.isEmpty, let shard = disk.shards.removeValue(forKey: ids[Int(number % UInt64(ids.count))]) else {
            return nil
        }
        disk.damaged[shard.id] = damage
        unsynced[shard.id] = nil
        return "shard \(shard.id) of \(shard.database)/\(shard.policy)"
    }

    /// Whether a shard is listed and not open.
    package var hasDamage: Bool { !disk.damaged.isEmpty }

    /// The process ends at once. What was under way is over, what was stored stays: it is in the system's memory.
    package mutating func kill() { process = nil }

    /// The machine ends at once: what was not synced is gone.
    package mutating func losePower(now: Int64) {
        process = nil
        for (id, shard) in unsynced where now < shard.since &+ settings.walFsyncDelay {
            // Its group is known all the same: the meta store syncs whatever it writes.
            if disk.shards[id] != nil { disk.shards[id] = shard.synced }
        }
        unsynced = [:]
    }

    /// A copy of the data folder.
    package func snapshot() -> InfluxDisk { disk }

    /// Puts a data folder in the place of the present one; an empty one for a wiped server. Not while it runs.
    package mutating func replaceDisk(_ disk: InfluxDisk) {
        precondition(process == nil, "the data of a server that runs is its own")
        self.disk = disk
        unsynced = [:]
    }

    /// The caches are written out, as the server does from time to time.
    package mutating func writeOutCaches() {
        for id in disk.shards.keys { disk.shards[id]?.cacheBytes = 0 }
    }

    /// Removes shard groups that are older than their policy by the server's clock; the server does so every half hour.
    package mutating func enforceRetention(now: Int64) {
        for database in disk.databases.indices {
            for policy in disk.databases[database].policies.indices {
                let duration = disk.databases[database].policies[policy].duration
                guard duration > 0 else { continue }
                let expired = disk.databases[database].policies[policy].groups.filter { $0.end < now - duration }
                for group in expired { disk.shards[group.shard] = nil }
                disk.databases[database].policies[policy].groups.removeAll { $0.end < now - duration }
            }
        }
    }

    // MARK: Requests

    /// Takes up a request. The answer may be there at once; otherwise there are steps.
    ///
    /// - Parameter now: the server's wall clock in nanoseconds since 1970.
    package mutating func begin(_ request: InfluxRequest, now: Int64) -> InfluxWork {
        guard process != nil else { preconditionFailure("a server that does not run takes no requests") }
        lastWork += 1
        var work = InfluxWork(id: lastWork, generation: generation)
        switch (request.method, request.path) {
        case ("POST", "/write"): beginWrite(request, &work, now: now)
        case ("GET", "/query"), ("POST", "/query"): beginQuery(request, &work, now: now)
        case ("GET", "/ping"), ("HEAD", "/ping"): work.answer = answer(204, to: work)
        case ("GET", "/debug/vars") where settings.debugVarsOpen: work.answer = debugVars(now: now)
        case ("GET", "/debug/pprof/goroutine") where settings.pprofOpen: work.answer = plain(goroutines)
        case ("GET", "/debug/pprof/heap") where settings.pprofOpen: work.answer = plain(heap)
        default:
            if !request.path.hasPrefix("/debug/") { unknown.append("\(request.method) \(request.path)") }
            work.answer = plain("404 page not found\n", status: 404)
        }
        return work
    }

    /// Carries out one of the work's steps. Does nothing if the process that began the work is gone.
    package mutating func carryOut(_ step: InfluxWork.Step, of work: inout InfluxWork, now: Int64) {
        guard process?.generation == work.generation, let position = work.steps.firstIndex(of: step) else {
            work.steps = []
            return
        }
        switch work.task {
        case .none: work.steps.remove(at: position)
        case .write(var task):
            work.task = .none
            carryOut(position, of: &task, &work, now: now)
            work.task = .write(task)
        case .query(var task):
            work.task = .none
            carryOut(of: &task, &work, now: now)
            work.task = .query(task)
        }
    }

    /// All that is left of it, in order.
    package mutating func finish(_ work: inout InfluxWork, now: Int64) {
        while let step = work.steps.first { carryOut(step, of: &work, now: now) }
    }

    // MARK: Answers

    func answer(_ status: Int, _ body: [UInt8] = [], to work: InfluxWork) -> InfluxAnswer {
        let digits = String(work.id, radix: 16)
        let id = "00000000-0000-11f1-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        return InfluxAnswer(
            status: status,
            headers: [
                ("Content-Type", "application/json"), ("Request-Id", id), ("X-Influxdb-Build", "OSS"),
                ("X-Influxdb-Version", settings.version), ("X-Request-Id", id),
            ], body: body)
    }

    func failure(_ status: Int, _ message: [UInt8], to work: InfluxWork) -> InfluxAnswer {
        var json = JSONText()
        json.raw("{\"error\":")
        json.string(message)
        json.raw("}\n")
        var answer = answer(status, json.bytes, to: work)
        let header = message.prefix(1024).map { $0 == Byte.newline || $0 == 13 ? Byte.space : $0 }
        answer.headers.insert(("X-Influxdb-Error", String(decoding: header, as: UTF8.self)), at: 3)
        return answer
    }

    func failure(_ status: Int, _ message: String, to work: InfluxWork) -> InfluxAnswer {
        failure(status, Array(message.utf8), to: work)
    }

    func plain(_ text: String, status: Int = 200) -> InfluxAnswer {
        InfluxAnswer(
            status: status,
            headers: [
                ("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"),
                ("X-Influxdb-Build", "OSS"), ("X-Influxdb-Version", settings.version),
            ], body: Array(text.utf8))
    }
}

/// What a server knows while it runs.
struct Process: Sendable {
    let generation: Int
    let started: Int64
    /// `POST /write` requests without an answer.
    var activeWrites = 0
    var writes = 0
    /// By number of the shard.
    var shards: [Int: ShardFigures] = [:]
    /// In the order of their beginning.
    var queries: [RunningQuery] = []
    var lastQuery = 0
    /// Series that the one index of `inmem` still lists after their retention policy was dropped, until it is built
    /// anew (reference: http 7): by database, measurement and key.
    var leftovers: [Text: [Text: [Text: [Tag]]]] = [:]

    init(generation: Int, started: Int64) {
        self.generation = generation
        self.started = started
    }
}

struct ShardFigures: Sendable {
    /// Writes under way; `begun` less `ok` and `failed` is more where the server forgot to count an end.
    var writing = 0
    var begun = 0
    var ok = 0
    var failed = 0
    var dropped = 0
    var pointsOK = 0
    var fieldsCreated = 0
    var seriesCreated = 0
}

struct RunningQuery: Sendable {
    let id: Int
    let work: Int
    var text: String
    var database: String
    var since: Int64
    var isKilled = false
}
