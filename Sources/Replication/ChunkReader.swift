// Reads and decodes a stretch of the log. Used by the feed's thread alone.

import Cluster
import CommitLog
import LineProtocol
import NIOCore

/// Why a node cannot be fed any further; the text is for people.
struct FeedFailure: Error {
    let reason: String
    /// The same may succeed a moment later.
    var isPassing = false
    /// What lies before it is lost, if the log has rotted; nil: nothing is known to be.
    var lostBefore: Offset?
}

struct ChunkReader {
    private let log: CommitLog
    private let sets: ReplicaSetTable
    /// Records are read into it and then copied in one piece, so that a chunk holds no more than it needs.
    private var scratch: [UInt8]
    private var last: FeedChunk?

    init(log: CommitLog, sets: ReplicaSetTable, chunkBytes: Int) {
        self.log = log
        self.sets = sets
        scratch = Array(repeating: 0, count: chunkBytes)
    }

    /// At least one record or gap; `offset` lies below the durable end.
    mutating func chunk(from offset: Offset) throws(FeedFailure) -> FeedChunk {
        if let last, last.first == offset { return last }
        let chunk = try read(from: offset)
        last = chunk
        return chunk
    }

    private mutating func read(from offset: Offset) throws(FeedFailure) -> FeedChunk {
        while true {
            let result: ReadResult
            do throws(LogError) {
                result = try readIntoScratch(from: offset)
            } catch {
                if case .file = error { throw FeedFailure(reason: "\(error)", isPassing: true) }
                throw FeedFailure(reason: "\(error)")
            }
            switch result {
            case .records(let views, let gaps, let next):
                return try decode(views, gaps, from: offset, next: next)
            case .needs(let bytes):
                scratch = Array(repeating: 0, count: bytes)
            case .lost(let damage):
                let end = endOfLoss(from: damage.lost.upperBound)
                let whole = LogDamage(lost: damage.lost.lowerBound..<end, path: damage.path, reason: damage.reason)
                throw FeedFailure(reason: "\(whole)", lostBefore: end)
            case .atEnd:
                throw FeedFailure(reason: "nothing is there, though the durable end lies beyond")
            }
        }
    }

    /// The first record that can be read again: what has rotten in one place is one loss, however many records it was.
    private mutating func endOfLoss(from offset: Offset) -> Offset {
        var end = offset
        while end < log.durableEnd, case .lost(let more)? = try? readIntoScratch(from: end), more.lost.upperBound > end
        {
            end = more.lost.upperBound
        }
        return end
    }

    private mutating func readIntoScratch(from offset: Offset) throws(LogError) -> ReadResult {
        var outcome: Result<ReadResult, LogError>?
        scratch.withUnsafeMutableBytes { buffer in
            do throws(LogError) {
                outcome = .success(try log.read(from: offset, into: buffer))
            } catch {
                outcome = .failure(error)
            }
        }
        guard let outcome else { preconditionFailure("reading gives a result") }
        return try outcome.get()
    }

    private func decode(
        _ views: [RecordView], _ gaps: [Range<Offset>], from first: Offset, next: Offset
    ) throws(FeedFailure) -> FeedChunk {
        let start = views.first?.body.lowerBound ?? 0
        let bytes = ByteBuffer(bytes: scratch[start..<max(start, views.last?.body.upperBound ?? 0)])
        var records: [FeedRecord] = []
        records.reserveCapacity(views.count + gaps.count)
        var gapsLeft = gaps[...]
        do throws(RecordFormatError) {
            for view in views {
                while let gap = gapsLeft.first, gap.lowerBound < view.offset {
                    records.append(.gap(gap))
                    gapsLeft.removeFirst()
                }
                records.append(try record(view, in: bytes, at: view.body.lowerBound - start))
            }
        } catch {
            throw FeedFailure(reason: "\(error)")
        }
        records += gapsLeft.map { .gap($0) }
        return FeedChunk(
            first: first, next: next, records: records, bytes: records.reduce(0) { $0 + $1.bytes },
            hasGaps: !gaps.isEmpty)
    }

    private func record(
        _ view: RecordView, in bytes: ByteBuffer, at place: Int
    ) throws(RecordFormatError) -> FeedRecord {
        // What a record takes beside its body: its place in queues, its payload object.
        let size = view.body.count + 200
        let nodes = sets.nodes(view.replicaSet)
        switch view.kind {
        case .points:
            let record = try scratch.withBody(view.body) { body throws(RecordFormatError) in
                try PointsRecord(decoding: body)
            }
            let payload = bytes.getSlice(at: place + record.payload.lowerBound, length: record.payload.count)
            let key = BatchKey(retentionPolicy: record.head.retentionPolicy, precision: record.head.precision)
            return .item(
                NodeLanes.Item(
                    offset: view.offset, work: .points(database: record.head.database, key), for: nodes,
                    lines: Int(record.head.lineCount), bytes: size,
                    payload: RecordPayload(.points(payload ?? ByteBuffer()))
                )
            )
        case .mutation:
            let record = try scratch.withBody(view.body) { body throws(RecordFormatError) in
                try MutationRecord(decoding: body)
            }
            return .item(
                NodeLanes.Item(
                    offset: view.offset, work: .mutation(record.laneScope), for: nodes, lines: 0, bytes: size,
                    payload: RecordPayload(.mutation(record))
                )
            )
        case .refusal:
            let record = try scratch.withBody(view.body) { body throws(RecordFormatError) in
                try RefusalRecord(decoding: body)
            }
            return .refusal(view.offset, RefusalNotice(record), for: nodes, bytes: size)
        }
    }
}

extension RefusalNotice {
    init(_ record: RefusalRecord) {
        target = record.target
        node = record.node
        refusedBy = record.refusedBy
        database = record.database
        ranges = record.ranges
        measurements = record.measurements
    }
}

extension RefusalRecord {
    /// The measurements of the lines whose text is kept.
    var measurements: Set<String> {
        Set(
            lines.map { line in
                var text = line.text
                return text.withUTF8 { utf8 in
                    let bytes = UnsafeRawBufferPointer(utf8)
                    let name = UnsafeRawBufferPointer(rebasing: bytes[MeasurementName.range(inLine: bytes)])
                    return String(decoding: MeasurementName.unescape(name), as: UTF8.self)
                }
            })
    }
}

extension [UInt8] {
    fileprivate func withBody<T>(
        _ range: Range<Int>, _ read: (UnsafeRawBufferPointer) throws(RecordFormatError) -> T
    ) throws(RecordFormatError) -> T {
        var outcome: Result<T, RecordFormatError>?
        withUnsafeBytes { all in
            do throws(RecordFormatError) {
                outcome = .success(try read(UnsafeRawBufferPointer(rebasing: all[range])))
            } catch {
                outcome = .failure(error)
            }
        }
        guard let outcome else { preconditionFailure("decoding gives a result") }
        return try outcome.get()
    }
}

extension MutationRecord {
    /// Its scope in the words of the lanes.
    var laneScope: LaneScope {
        switch scope {
        case .database(let name): .database(name)
        case .databaseAndSchema(let name): .databaseAndSchema(name)
        case .schema: .schema
        case .everything: .everything
        }
    }
}
