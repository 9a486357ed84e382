// Takes a payload apart by the replica sets of its lines, in one pass; the order within each stays.

import Cluster
import Glibc
import LineProtocol

package struct PayloadSplit: Equatable, Sendable {
    package struct Part: Equatable, Sendable {
        package let nodes: NodeSet
        package fileprivate(set) var lines = 0
        /// With a newline behind each line.
        package fileprivate(set) var bytes = 0
        /// Stretches of the payload, newlines included.
        fileprivate var pieces: [Range<Int>] = []

        /// Writes the part's lines.
        /// - Parameters:
        ///   - payload: what was split.
        ///   - destination: exactly `bytes` bytes.
        package func write(_ payload: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer) {
            var written = 0
            for piece in pieces {
                UnsafeMutableRawBufferPointer(rebasing: destination[written..<written + piece.count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: payload[piece]))
                written += piece.count
            }
        }
    }

    /// Lines that no rule places.
    package struct Unplaced: Equatable, Sendable {
        package fileprivate(set) var lines = 0
        /// Of the first of them.
        package let measurement: String
    }

    /// By first line.
    package private(set) var parts: [Part] = []
    package private(set) var unplaced: Unplaced?

    /// - Parameters:
    ///   - payload: good lines, each with a newline behind it.
    ///   - key: the database's in the cache.
    package init(
        _ payload: UnsafeRawBufferPointer, database: String, _ key: PlacementCache.Key, cache: inout PlacementCache
    ) {
        var places: [NodeSet: Int] = Dictionary(minimumCapacity: 8)
        var last: (name: Range<Int>, place: Int?)?
        for line in PayloadLines(payload) {
            let bytes = UnsafeRawBufferPointer(rebasing: payload[line])
            let whole = line.lowerBound..<Swift.min(line.upperBound + 1, payload.count)
            let inLine = MeasurementName.range(inLine: bytes)
            let name = line.lowerBound + inLine.lowerBound..<line.lowerBound + inLine.upperBound
            // Agents send the points of one measurement together.
            if let last, Self.areEqual(payload, last.name, name) {
                add(whole, to: last.place)
                continue
            }
            var place: Int?
            if let nodes = cache.nodes(database, key, UnsafeRawBufferPointer(rebasing: payload[name])) {
                place = places[nodes]
                if place == nil {
                    place = parts.count
                    places[nodes] = parts.count
                    parts.append(Part(nodes: nodes))
                }
            } else if unplaced == nil {
                let measurement = MeasurementName.unescape(payload[name])
                unplaced = Unplaced(measurement: String(decoding: measurement, as: UTF8.self))
            }
            add(whole, to: place)
            last = (name, place)
        }
    }

    private mutating func add(_ piece: Range<Int>, to place: Int?) {
        guard let place else {
            unplaced?.lines += 1
            return
        }
        parts[place].lines += 1
        parts[place].bytes += piece.count
        if let end = parts[place].pieces.last, end.upperBound == piece.lowerBound {
            parts[place].pieces[parts[place].pieces.count - 1] = end.lowerBound..<piece.upperBound
        } else {
            parts[place].pieces.append(piece)
        }
    }

    private static func areEqual(_ payload: UnsafeRawBufferPointer, _ a: Range<Int>, _ b: Range<Int>) -> Bool {
        guard a.count == b.count, let base = payload.baseAddress else { return false }
        return memcmp(base + a.lowerBound, base + b.lowerBound, a.count) == 0
    }
}
