// What nodes answer and what records hold, as far as the pure targets read it.

import Cluster
import CommitLog
import FuzzEngine

/// Input: an answer's body.
let responseErrors = FuzzTarget("response-errors") { bytes in
    let errors = ResponseErrors(bytes)
    demand(errors.first == errors.errors.first, "the first error is another one")
    // Documents stand one behind the other in chunked answers.
    if errors.isComplete {
        let twice = ResponseErrors(bytes + [0x0A] + bytes)
        demand(twice.isComplete && twice.errors == errors.errors + errors.errors, "two documents are not two")
    }
}

/// Input: a byte for the kind, then a record's body or a ledger without its checksum.
let records = FuzzTarget("records") { bytes in
    var input = FuzzInput(bytes)
    let kind = input.byte() % 4
    let body = input.rest()
    withExactMemory(body) { body in
        switch kind {
        case 0:
            guard let record = try? PointsRecord(decoding: body) else { return }
            demand(record.payload.upperBound == body.count, "the payload does not end with the record")
            demand(record.head.encodedSize == record.payload.lowerBound, "the head has another size")
            demand(
                encoded(record.head.encodedSize) { record.head.encode(into: $0) }
                    .elementsEqual(body[..<record.payload.lowerBound]), "a head is written in another way than read")
        case 1:
            guard let record = try? MutationRecord(decoding: body) else { return }
            let again = encoded(record.encodedSize) { record.encode(into: $0) }
            demand((try? again.withUnsafeBytes { try MutationRecord(decoding: $0) }) == record, "another mutation")
        case 2:
            guard let record = try? RefusalRecord(decoding: body) else { return }
            let again = encoded(record.encodedSize) { record.encode(into: $0) }
            demand((try? again.withUnsafeBytes { try RefusalRecord(decoding: $0) }) == record, "another refusal")
        default:
            guard let ledger = try? sealed(body).withUnsafeBytes({ try Ledger(decoding: $0) }) else { return }
            let again = ledger.encoded()
            demand((try? again.withUnsafeBytes { try Ledger(decoding: $0) }) == ledger, "another ledger")
        }
    }
}

private func encoded(_ size: Int, _ encode: (UnsafeMutableRawBufferPointer) -> Void) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
    defer { memory.deallocate() }
    encode(memory)
    return Array(memory)
}

/// The bytes with magic and checksum of a ledger in their first 16, as its reader wants them.
private func sealed(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var ledger = Array(bytes)
    Checksum.sealLedger(&ledger)
    return ledger
}
