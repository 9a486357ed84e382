// Where the measurements of one database lie, remembered: one per event loop, because it is asked for each line.

import Cluster
import Glibc
import LineProtocol

package struct PlacementCache {
    /// A database among those that were asked for.
    package struct Key: Equatable, Sendable {
        fileprivate let number: UInt32
    }

    /// What a database's points need.
    package enum Route: Equatable, Sendable {
        /// All of them lie on these nodes.
        case whole(NodeSet)
        /// Each measurement has to be looked at.
        case byMeasurement(Key)
    }

    private struct Entry {
        let key: Key
        let name: [UInt8]
        /// nil: no rule places it.
        let nodes: NodeSet?

        func isOf(_ key: Key, _ name: UnsafeRawBufferPointer) -> Bool {
            guard self.key == key, self.name.count == name.count, let other = name.baseAddress else { return false }
            return self.name.withUnsafeBytes { $0.baseAddress.map { memcmp($0, other, name.count) == 0 } ?? false }
        }
    }

    private let placement: Placement
    /// Names as bytes: InfluxDB tells some apart that String does not.
    private var routes: [[UInt8]: Route] = [:]
    private var nextKey: UInt32 = 0
    /// By a hash of database and measurement as it is in a line, escapes and all.
    private var entries: [UInt64: Entry] = [:]

    /// Beyond these, what is remembered is forgotten, all at once: names cost a few hundred bytes each.
    private static let capacity = 50_000
    private static let databaseCapacity = 10_000

    package init(_ placement: Placement) { self.placement = placement }

    package mutating func route(_ database: String) -> Route {
        let name = Array(database.utf8)
        if let known = routes[name] { return known }
        if routes.count >= Self.databaseCapacity { routes = [:] }
        let route: Route
        if let sole = placement.soleReplicaSet(database: database) {
            route = .whole(sole)
        } else {
            // What is remembered under an older number of the same database is never found again.
            route = .byMeasurement(Key(number: nextKey))
            nextKey &+= 1
        }
        routes[name] = route
        return route
    }

    /// - Parameters:
    ///   - key: the database's, by `route`.
    ///   - name: a measurement as it stands in a line.
    /// - Returns: nil: no rule places it.
    package mutating func nodes(_ database: String, _ key: Key, _ name: UnsafeRawBufferPointer) -> NodeSet? {
        let hash = Self.hash(name, UInt64(key.number))
        if let known = entries[hash], known.isOf(key, name) { return known.nodes }
        let measurement = String(decoding: MeasurementName.unescape(name), as: UTF8.self)
        let nodes = placement.nodes(database: database, measurement: measurement)
        if entries.count >= Self.capacity { entries = [:] }
        entries[hash] = Entry(key: key, name: Array(name), nodes: nodes)
        return nodes
    }

    /// FNV-1a, eight bytes at a time; what collides is looked up again each time.
    private static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 &+ seed &* 0x9e37_79b9_7f4a_7c15
        var position = 0
        while position + 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)) &* 0x100_0000_01b3
            hash ^= hash >> 29
            position += 8
        }
        while position < bytes.count {
            hash = (hash ^ UInt64(bytes[position])) &* 0x100_0000_01b3
            position += 1
        }
        return hash
    }
}
