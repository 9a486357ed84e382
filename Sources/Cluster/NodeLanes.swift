// The order in which one node gets the records of the log: one lane per database, one request in flight per lane,
// barriers, joined batches, and the cursor that follows from what was applied. A value without I/O; the replicator
// around it reads, sends and reports.
//
//   record from the log --> its lane(s) --> batch in flight --> applied --> cursor
//                                              |   ^
//                                              +---+  failed: the same records again, in the same place
//
// - A points record sits in the lane of its database. A mutation is a barrier: it waits for all before it in its lane
//   and holds up all behind it.
// - CREATE and DROP DATABASE, grants on a database and the like sit in two lanes at once, their database's and the
//   schema lane, and run when they are at the head of both.
// - A mutation whose reach is not known (`everything`) waits for all lanes to be empty and holds up all lanes.

import CommitLog

/// How far a mutation is a barrier.
package enum LaneScope: Hashable, Sendable {
    case database(String)
    case databaseAndSchema(String)
    case schema
    case everything
}

/// What may be joined into one request: same retention policy and precision.
package struct BatchKey: Hashable, Sendable {
    package let retentionPolicy: String
    package let precision: UInt8

    package init(retentionPolicy: String, precision: UInt8) {
        self.retentionPolicy = retentionPolicy
        self.precision = precision
    }
}

package struct NodeLanes {
    package enum Work: Hashable, Sendable {
        case points(database: String, BatchKey)
        case mutation(LaneScope)
    }

    package struct Item: Sendable {
        package let offset: Offset
        package let work: Work
        /// Its replica set.
        package let nodes: NodeSet
        package let lines: Int
        package let bytes: Int
        /// What is sent; the lanes do not look at it.
        package let payload: any AnyObject & Sendable

        package init(
            offset: Offset, work: Work, for nodes: NodeSet = .everybody, lines: Int, bytes: Int,
            payload: any AnyObject & Sendable
        ) {
            self.offset = offset
            self.work = work
            self.nodes = nodes
            self.lines = lines
            self.bytes = bytes
            self.payload = payload
        }
    }

    /// Records on their way to the node in one request.
    package struct Batch {
        package let id: Int
        package let items: [Item]
        package var lines: Int { items.reduce(0) { $0 + $1.lines } }
        package var bytes: Int { items.reduce(0) { $0 + $1.bytes } }
    }

    package struct Limits: Sendable {
        package var lines = 5_000
        package var bytes = 1_000_000

        package init(lines: Int = 5_000, bytes: Int = 1_000_000) {
            self.lines = lines
            self.bytes = bytes
        }
    }

    private enum LaneKey: Hashable {
        case database(String)
        case schema
    }

    private struct Lane {
        var items = Fifo<Item>()
        /// How many items at the head are in flight.
        var inFlight = 0
        /// How many items at the head must go one by one.
        var singles = 0

        /// Whether the lane may have something to send now: behind others it changes nothing.
        mutating func append(_ item: Item) -> Bool {
            items.append(item)
            return inFlight == 0
        }
    }

    private let limits: Limits
    private var lanes: [LaneKey: Lane] = [:]
    /// Lanes that may have something to send.
    private var toExamine: Set<LaneKey> = []
    private var flying: [Int: (keys: [LaneKey], offsets: [Offset])] = [:]
    private var nextBatch = 0
    /// From the first `everything` on, in log order.
    private var held = Fifo<Item>()
    /// The node's own records from the cursor on. Others cost nothing: gaps can be as long as the log.
    private var own = Fifo<(offset: Offset, isApplied: Bool)>()

    /// All below it is applied.
    package private(set) var cursor: Offset
    /// Where the next record comes from.
    package private(set) var end: Offset
    /// Bytes of the records that are here and not applied.
    package private(set) var heldBytes = 0

    package init(cursor: Offset, limits: Limits = Limits()) {
        self.cursor = cursor
        self.end = cursor
        self.limits = limits
    }

    package var inFlight: Int { flying.count }

    /// Whether the record is applied, or does not concern the node. One that has not come yet is not.
    package func isDone(_ offset: Offset) -> Bool {
        if offset < cursor { return true }
        guard offset < end else { return false }
        guard let place = place(of: offset) else { return true }
        return own[place].isApplied
    }

    /// Nil: none of this node's records.
    private func place(of offset: Offset) -> Int? {
        let place = own.partitioningIndex { $0.offset < offset }
        return place < own.count && own[place].offset == offset ? place : nil
    }

    package var isEmpty: Bool { cursor == end }

    /// Takes the next record of the log.
    package mutating func enqueue(_ item: Item) {
        precondition(item.offset == end, "records enter in log order, without gaps")
        end = end.advanced(by: 1)
        own.append((item.offset, false))
        heldBytes += item.bytes
        if !held.isEmpty || isEverything(item) {
            held.append(item)
        } else {
            place(item)
        }
    }

    /// The next record of the log does not concern this node.
    package mutating func skip(_ offset: Offset) {
        precondition(offset == end, "records enter in log order, without gaps")
        skip(to: offset.advanced(by: 1))
    }

    /// None of the records up to an offset, exclusive, concerns this node.
    package mutating func skip(to offset: Offset) {
        precondition(offset > end, "records enter in log order")
        end = offset
        advanceCursor()
    }

    /// What may be sent now; each batch is in flight from here on until `applied` or `failed`.
    package mutating func next() -> [Batch] {
        var batches: [Batch] = []
        while let key = toExamine.popFirst() {
            if let batch = examine(key) { batches.append(batch) }
        }
        if batches.isEmpty, lanes.isEmpty, flying.isEmpty, let item = held.first, isEverything(item) {
            batches.append(launch([item], keys: []))
        }
        return batches
    }

    /// The node has applied all of a batch.
    package mutating func applied(_ id: Int) {
        guard let (keys, offsets) = flying.removeValue(forKey: id) else {
            preconditionFailure("batch \(id) is not in flight")
        }
        if keys.isEmpty {
            if let item = held.popFirst() { finish(item) }
            releaseHeld()
        }
        for (position, key) in keys.enumerated() {
            guard var lane = lanes.removeValue(forKey: key) else { continue }
            for _ in offsets {
                guard let item = lane.items.popFirst() else { continue }
                if position == 0 { finish(item) }
            }
            lane.inFlight = 0
            lane.singles = max(0, lane.singles - offsets.count)
            if !lane.items.isEmpty {
                lanes[key] = lane
                toExamine.insert(key)
            }
        }
        advanceCursor()
    }

    /// Nothing is known to be applied of a batch: the same records are next in its lane.
    /// - Parameter oneByOne: the records of this batch go one in a request from now on.
    package mutating func failed(_ id: Int, oneByOne: Bool = false) {
        guard let (keys, offsets) = flying.removeValue(forKey: id) else {
            preconditionFailure("batch \(id) is not in flight")
        }
        for key in keys {
            lanes[key]?.inFlight = 0
            if oneByOne { lanes[key]?.singles = offsets.count }
            toExamine.insert(key)
        }
    }

    private func isEverything(_ item: Item) -> Bool { item.work == .mutation(.everything) }

    private func keys(_ work: Work) -> [LaneKey] {
        switch work {
        case .points(let database, _), .mutation(.database(let database)): [.database(database)]
        case .mutation(.databaseAndSchema(let database)): [.database(database), .schema]
        case .mutation(.schema): [.schema]
        case .mutation(.everything): []
        }
    }

    private mutating func place(_ item: Item) {
        if case .points(let database, _) = item.work { return place(item, in: .database(database)) }
        for key in keys(item.work) { place(item, in: key) }
    }

    private mutating func place(_ item: Item, in key: LaneKey) {
        if lanes[key, default: Lane()].append(item) { toExamine.insert(key) }
    }

    private mutating func releaseHeld() {
        while let item = held.first, !isEverything(item) {
            _ = held.popFirst()
            place(item)
        }
    }

    private mutating func examine(_ key: LaneKey) -> Batch? {
        guard let lane = lanes[key], lane.inFlight == 0, let first = lane.items.first else { return nil }
        switch first.work {
        case .points(_, let batchKey):
            return launch(points(of: lane, first: first, joinedBy: batchKey), keys: [key])
        case .mutation:
            let all = keys(first.work)
            let isAtHeadOfAll = all.allSatisfy { key in
                lanes[key]?.items.first?.offset == first.offset && lanes[key]?.inFlight == 0
            }
            return isAtHeadOfAll ? launch([first], keys: all) : nil
        }
    }

    private func points(of lane: Lane, first: Item, joinedBy batchKey: BatchKey) -> [Item] {
        var items = [first]
        guard lane.singles == 0, case .points(let name, _) = first.work else { return items }
        var lines = first.lines
        var bytes = first.bytes
        while items.count < lane.items.count {
            let item = lane.items[items.count]
            // By bytes: InfluxDB tells names apart that are written alike (one é, or an e and its accent), String does not.
            guard case .points(let database, batchKey) = item.work, database.utf8.elementsEqual(name.utf8) else {
                break
            }
            lines += item.lines
            bytes += item.bytes
            guard lines <= limits.lines, bytes <= limits.bytes else { break }
            items.append(item)
        }
        return items
    }

    private mutating func launch(_ items: [Item], keys: [LaneKey]) -> Batch {
        let batch = Batch(id: nextBatch, items: items)
        nextBatch += 1
        flying[batch.id] = (keys, items.map(\.offset))
        for key in keys {
            lanes[key]?.inFlight = items.count
            toExamine.remove(key)
        }
        return batch
    }

    private mutating func finish(_ item: Item) {
        heldBytes -= item.bytes
        if let place = place(of: item.offset) { own[place].isApplied = true }
    }

    private mutating func advanceCursor() {
        while own.first?.isApplied == true { _ = own.popFirst() }
        cursor = own.first?.offset ?? end
    }
}
