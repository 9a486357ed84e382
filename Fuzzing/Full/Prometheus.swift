// Bodies of Prometheus: no promise of a length takes memory, whatever comes in stays within its bounds, and what becomes
// lines or InfluxQL is read back as what it was.

import FuzzEngine
import InfluxQL
import LineProtocol
import Prometheus

/// Input: a byte of choices, one for pieces, then a packed message, or one that is packed here.
let prometheus = FuzzTarget("prometheus") { bytes in
    var input = FuzzInput(bytes)
    let choices = input.byte()
    let budget = Int(input.byte()) + 1
    let content = input.rest()
    let limit = choices & 2 == 0 ? 1 << 20 : 1000
    let message: [UInt8]
    if choices & 1 == 0 {
        guard let decoded = try? content.withUnsafeBytes({ try Snappy.decoded($0, limit: limit) }) else { return }
        demand(decoded.count <= limit, "\(decoded.count) bytes, \(limit) were allowed")
        message = decoded
    } else {
        let packed = Snappy.encoded(content)
        let back = try? packed.withUnsafeBytes { try Snappy.decoded($0, limit: content.count) }
        demand(back == content, "what was packed does not come out")
        message = content
    }
    checkWrite(message, limit: limit, budget: budget)
    checkRead(message)
}

private func lines(_ message: [UInt8], limit: Int, budget: Int) -> [UInt8]? {
    var write = RemoteWrite(limit: limit)
    do {
        while try !write.advance(message, budget: budget) {}
    } catch {
        return nil
    }
    demand(write.lines.bytes.count <= limit, "more lines than allowed")
    return write.lines.bytes
}

private func checkWrite(_ message: [UInt8], limit: Int, budget: Int) {
    guard let whole = lines(message, limit: limit, budget: .max) else { return }
    demand(lines(message, limit: limit, budget: budget) == whole, "in pieces they are other lines")
    var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 0)
    whole.withUnsafeBytes { bytes in
        while case .yielded = scanner.scan(bytes, isFinal: true) {}
    }
    let count = whole.count { $0 == 0x0A }
    demand(scanner.result.lines + scanner.result.badLines == count, "the lines are not those that were written")
}

private func checkRead(_ message: [UInt8]) {
    guard let read = try? RemoteRead(message),
        let statement = try? read.statement(database: "d", retentionPolicy: "r")
    else { return }
    for text in statement.questions + [statement.text] {
        guard case .statements(let parsed) = Parsed(text) else { continue }
        demand(parsed.count == 1, "a matcher became a statement: \(text)")
        demand(parsed[0].kind == .select || parsed[0].kind == .showMeasurements, "a matcher became \(parsed[0].kind)")
        let sources = parsed[0].sources.compactMap { $0.database?.literal }
        demand(sources.allSatisfy { $0 == "d" }, "a matcher reads another database: \(text)")
    }
}
