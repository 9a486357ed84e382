// A real influxd with a data folder and ports of its own, which tests kill, hang, restart and wipe.

import Foundation
import Glibc
import Synchronization

package final class InfluxNode: Sendable {
    package let name: String
    package let port: Int
    package let host: String
    package let client: InfluxClient
    private let launcher: [String]
    private let folder: TemporaryFolder
    private let configuration: URL
    private let running = Mutex<ChildProcess?>(nil)

    package static let executable = "/usr/bin/influxd"

    package struct Settings: Sendable {
        package var index = "inmem"
        package var authentication = false
        /// HTTPS in place of HTTP.
        package var tls: TestAuthority.Pair?
        /// Further lines of the configuration, by section: `["data": "cache-max-memory-size = 500"]`.
        package var extra: [String: String] = [:]
        /// Where the test reaches the node; one that is not on this host's loopback listens on all its addresses.
        package var host = "127.0.0.1"
        /// What the program is started through: `ip netns exec NAME`, say. It must not stay as a process of its own.
        package var launcher: [String] = []
        /// Where configuration, data and output go, when they are to stay: a folder that exists.
        package var folder: URL?

        package init() {}

        /// Caches are written out to files a second after the last write, in place of ten minutes.
        package mutating func writesOutSoon() {
            extra["data", default: ""] += "\ncache-snapshot-write-cold-duration = \"1s\""
        }
    }

    package var url: String { client.base }

    package init(_ name: String, _ settings: Settings = Settings()) throws {
        self.name = name
        host = settings.host
        launcher = settings.launcher
        folder = try settings.folder.map(TemporaryFolder.init(existing:)) ?? TemporaryFolder("sluice-node-\(name)")
        port = try FreePort.next()
        client = InfluxClient(port: port, host: host, isSecure: settings.tls != nil)
        configuration = folder.url.appendingPathComponent("influxdb.conf")
        let data = folder.url.appendingPathComponent("data").path
        let sections: [(String, String)] = [
            ("", "reporting-disabled = true\nbind-address = \"127.0.0.1:\(try FreePort.next())\""),
            ("meta", "dir = \"\(data)/meta\""),
            (
                "data",
                """
                dir = "\(data)/data"
                wal-dir = "\(data)/wal"
                index-version = "\(settings.index)"
                query-log-enabled = false
                """
            ),
            ("coordinator", ""),
            ("monitor", "store-enabled = false"),
            ("subscriber", "enabled = false"),
            ("continuous_queries", "enabled = false"),
            ("shard-precreation", ""),
            (
                "http",
                """
                bind-address = "\(host == "127.0.0.1" ? host : ""):\(port)"
                log-enabled = false
                auth-enabled = \(settings.authentication)
                https-enabled = \(settings.tls != nil)
                https-certificate = "\(settings.tls?.certificate ?? "")"
                https-private-key = "\(settings.tls?.key ?? "")"
                """
            ),
        ]
        let text = sections.map { name, lines in
            (name.isEmpty ? "" : "[\(name)]\n") + lines + "\n" + (settings.extra[name] ?? "") + "\n"
        }
        try text.joined(separator: "\n").write(to: configuration, atomically: true, encoding: .utf8)
    }

    deinit {
        // The process goes before its folder does.
        running.withLock { $0 = nil }
    }

    /// A node that is already up.
    package static func started(_ name: String, _ settings: Settings = Settings()) async throws -> InfluxNode {
        let node = try InfluxNode(name, settings)
        try await node.start()
        return node
    }

    /// Starts the server (again) on the same port and data and waits until it answers.
    package func start() async throws {
        try launch()
        try await waitUntilUp()
    }

    /// Starts the server without waiting for it.
    package func launch() throws {
        let process = try ChildProcess(
            name: "influxd-\(name)",
            arguments: launcher + [Self.executable, "run", "-config", configuration.path],
            logFolder: folder.url
        )
        running.withLock { $0 = process }
    }

    package func waitUntilUp() async throws {
        var client = client
        client.timeout = .seconds(1)
        try await eventually("node \(name) answers /ping", within: .seconds(30)) {
            if let status = process?.status { throw TestFailure("influxd ended: \(status)\n\(log)") }
            return try await client.send(.get, "/ping").status == 204
        }
    }

    package var process: ChildProcess? { running.withLock { $0 } }
    package var log: String { process?.log() ?? "" }

    /// SIGKILL, SIGSTOP, SIGCONT, SIGTERM by the process's own id.
    package func signal(_ number: Int32) {
        process?.signal(number)
    }

    /// kill -9, and gone.
    package func kill() async throws {
        try await process?.killAndWait()
        running.withLock { $0 = nil }
    }

    /// A stop as an operator does it.
    package func stop() async throws {
        signal(SIGTERM)
        try await process?.waitForExit()
        running.withLock { $0 = nil }
    }

    package func hang() { signal(SIGSTOP) }
    package func wakeUp() { signal(SIGCONT) }

    /// Removes all data of a node that does not run.
    package func wipe() throws {
        precondition(process == nil)
        try FileManager.default.removeItem(at: folder.url.appendingPathComponent("data"))
    }

    /// The node's data as it is in a copy, which goes with the last reference to it.
    package struct Snapshot: Sendable {
        fileprivate let folder: TemporaryFolder
        fileprivate var data: URL { folder.url.appendingPathComponent("data") }
    }

    /// Copies all data of a node that does not run.
    package func snapshot() throws -> Snapshot {
        precondition(process == nil)
        let snapshot = Snapshot(folder: try TemporaryFolder("sluice-snapshot-\(name)"))
        try FileManager.default.copyItem(at: folder.url.appendingPathComponent("data"), to: snapshot.data)
        return snapshot
    }

    /// Puts all data of a node that does not run back to a copy, its own or another node's.
    package func restore(_ snapshot: Snapshot) throws {
        try wipe()
        try FileManager.default.copyItem(at: snapshot.data, to: folder.url.appendingPathComponent("data"))
    }

    /// What a kill at a bad moment can leave of a shard: files that were begun and have no content.
    package enum ShardDamage: String, CaseIterable, Sendable {
        /// Of the index `tsi1`: the shard cannot be opened, and refuses writes for ever.
        case index
        /// Points (they must have been written out): the shard cannot be opened, and the next write, or the start after
        /// that one, makes an empty one in its place.
        case points
    }

    /// Damages a shard of a node that does not run, so that InfluxDB 1.6 does not open it at the next start.
    package func damage(_ damage: ShardDamage, shard: Int, of database: String, policy: String = "autogen") throws {
        precondition(process == nil)
        let folder = folder.url.appendingPathComponent("data/data/\(database)/\(policy)/\(shard)")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        let damaged = (files?.allObjects as? [URL] ?? []).filter { file in
            damage == .points ? file.pathExtension == "tsm" : file.path.hasSuffix("/index/0/MANIFEST")
        }
        if damaged.isEmpty { throw TestFailure("nothing to damage (\(damage)) in \(folder.path)") }
        for file in damaged { try Data().write(to: file) }
    }

    /// Waits until the points of a shard are in files, and nowhere else; see `Settings.writesOutSoon`.
    package func waitUntilWrittenOut(shard: Int, of database: String, policy: String = "autogen") async throws {
        let place = "\(database)/\(policy)/\(shard)"
        let points = folder.url.appendingPathComponent("data/data/\(place)").path
        let log = folder.url.appendingPathComponent("data/wal/\(place)")
        try await eventually("shard \(shard) of \(name) is written out", within: .seconds(30)) {
            guard try FileManager.default.contentsOfDirectory(atPath: points).contains(where: { $0.hasSuffix(".tsm") })
            else { return false }
            // The log's files go once their points are in the others.
            return try FileManager.default.contentsOfDirectory(atPath: log.path).allSatisfy { name in
                let file = log.appendingPathComponent(name).path
                let size = (try? FileManager.default.attributesOfItem(atPath: file))?[.size] as? Int
                return size == nil || size == 0
            }
        }
    }

    /// Requests that the node has taken up and not finished: of all databases over HTTP, and in the shards of `db`
    /// (reference: M5, the fence).
    package func unfinishedWrites(db: String) async throws -> (http: Int, shards: Int) {
        let reply = try await client.send(.get, "/debug/vars")
        let json = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any] ?? [:]
        var unfinished = (http: 0, shards: 0)
        for entry in json.values {
            guard let entry = entry as? [String: Any], let values = entry["values"] as? [String: Any] else { continue }
            func value(_ field: String) -> Int { values[field] as? Int ?? 0 }
            switch entry["name"] as? String {
            case "httpd": unfinished.http += value("writeReqActive")
            case "shard" where (entry["tags"] as? [String: Any])?["database"] as? String == db:
                unfinished.shards += value("writeReq") - value("writeReqOk") - value("writeReqErr")
            default: break
            }
        }
        return unfinished
    }

    /// Waits until nothing that the node was ever sent for `db` can still take effect.
    package func waitUntilQuiet(db: String) async throws {
        var quiet = 0
        try await eventually("node \(name) is quiet", within: .seconds(60), every: .milliseconds(20)) {
            let unfinished = try await unfinishedWrites(db: db)
            let running = try await client.query("SHOW QUERIES").text
            let isBusy = ["DROP ", "DELETE "].contains { running.contains($0) }
            quiet = unfinished == (0, 0) && !isBusy ? quiet + 1 : 0
            return quiet >= 3
        }
    }

    /// A counter of the node itself, summed over all entries of that name in `/debug/vars`: ("httpd", "queryReq").
    package func counter(_ name: String, _ field: String) async throws -> Int {
        let reply = try await client.send(.get, "/debug/vars")
        let json = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any] ?? [:]
        return json.values.reduce(0) { sum, entry in
            guard let entry = entry as? [String: Any], entry["name"] as? String == name else { return sum }
            return sum + ((entry["values"] as? [String: Any])?[field] as? Int ?? 0)
        }
    }
}
