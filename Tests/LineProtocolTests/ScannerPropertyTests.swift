// What must hold for any bytes, in any pieces: the properties of the scanner, with generated input.

import LineProtocol
import TestThreads
import Testing

/// Random bytes from the characters that matter, mixed with good lines.
private struct Hostile {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    mutating func below(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 1) % bound
    }

    private static let good = [
        "cpu,host=a,region=b usage=1.5,idle=2i 1700000000000000000", "m v=1", "m v=\"a\nb\",w=t 5",
        "m\\ x,t=a\\,b v=\"q\\\"\" -7",
        "m,b=1,a=2 v=1 5", "# a comment", "", "m v=\"x\"\\", " m=a\"b v=1 ", "m v=1e5,w=-0.25,x=FALSE 12  ",
    ].map { Array($0.utf8) }
    private static let bytes = Array("  ,,==\"\"\\\\\n\n\t\r\0#m1vtai.e-".utf8) + [0xFF, 0xC3]

    mutating func body() -> [UInt8] {
        var body: [UInt8] = []
        for _ in 0..<(1 + below(6)) {
            var line = Self.good[below(Self.good.count)]
            for _ in 0..<below(4) {
                let byte = Self.bytes[below(Self.bytes.count)]
                switch below(3) {
                case 0: line.insert(byte, at: below(line.count + 1))
                case 1 where !line.isEmpty: line[below(line.count)] = byte
                case 2 where !line.isEmpty: line.remove(at: below(line.count))
                default: line.append(byte)
                }
            }
            body += line
            if below(8) != 0 { body.append(0x0A) }
        }
        return body
    }
}

@Suite("Properties of the scanner", .blocking)
struct ScannerPropertyTests {
    private static let seeds = Array(UInt64(1)...20)

    private func outcome(_ scan: Scan) -> (Int, Int, [LineError], [UInt8]) {
        (scan.result.lines, scan.result.badLines, scan.result.errors, scan.payload)
    }

    @Test("however a body is cut into pieces, the result is the same", arguments: seeds)
    func anySplit(_ seed: UInt64) {
        var hostile = Hostile(seed: seed)
        for _ in 0..<100 {
            let body = hostile.body()
            let whole = Scan(body)
            // Byte by byte: no line is ever complete when it is first seen, so none takes the fast path.
            #expect(outcome(Scan(pieces: body.map { [$0] } + [[]])) == outcome(whole), "\(body)")
            let cut = hostile.below(body.count + 1)
            #expect(
                outcome(Scan(pieces: [Array(body[..<cut]), Array(body[cut...])])) == outcome(whole), "\(body) at \(cut)"
            )
            #expect(
                outcome(Scan(pieces: [Array(body[..<cut]), [], Array(body[cut...])], budget: 3)) == outcome(whole),
                "\(body)")
        }
    }

    @Test("a payload scans as good lines only, as it is, and can be joined with any other", arguments: seeds)
    func payloadsAreGood(_ seed: UInt64) {
        var hostile = Hostile(seed: seed + 1000)
        var joined: [UInt8] = []
        var lines = 0
        for _ in 0..<200 {
            let body = hostile.body()
            let scan = Scan(body)
            let again = Scan(scan.payload)
            #expect(again.result.lines == scan.result.lines, "\(body)")
            #expect(again.result.badLines == 0, "\(body)")
            #expect(again.payload == scan.payload, "\(body)")
            #expect(again.result.isBodyAsIs == (scan.result.lines > 0) && !again.result.lacksFinalNewline, "\(body)")
            let split = scan.payload.withUnsafeBytes { payload in PayloadLines(payload).map { Array(payload[$0]) } }
            #expect(split.count == scan.result.lines, "\(body)")
            // Each line alone is good as well, and keeps what it says.
            #expect(split.allSatisfy { Scan($0 + [0x0A]).payload == $0 + [0x0A] }, "\(body)")
            joined += scan.payload
            lines += scan.result.lines
        }
        let all = Scan(joined)
        #expect(all.result.lines == lines && all.result.badLines == 0)
        #expect(all.payload == joined)
    }

    @Test("edits are in order and do not overlap; lines are counted once", arguments: seeds)
    func editsAreOrdered(_ seed: UInt64) {
        var hostile = Hostile(seed: seed + 2000)
        for _ in 0..<200 {
            let body = hostile.body()
            let result = Scan(body).result
            var end = 0
            for edit in result.edits {
                #expect(edit.offset >= end && edit.removed >= 0, "\(body)")
                end = edit.offset + edit.removed
            }
            #expect(end <= body.count)
            #expect(result.errors.count == result.badLines)
            #expect(result.errors.allSatisfy { Array(body[$0.range]) == $0.line }, "\(body)")
        }
    }

    @Test("a scan stops at its budget and goes on from there")
    func budget() {
        let body = Array(String(repeating: "m,t=a v=1 5\n", count: 1000).utf8)
        var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 0)
        var yields = 0
        body.withUnsafeBytes { bytes in
            while true {
                let progress = scanner.scan(bytes, isFinal: true, budget: 1000)
                if progress == .finished { break }
                #expect(progress == .yielded)
                yields += 1
            }
        }
        #expect(yields == 11 || yields == 12)
        #expect(scanner.result.lines == 1000)
        #expect(scanner.result.isBodyAsIs)
    }

    @Test("a line of megabytes that arrives in small pieces is looked at once, not once per piece")
    func longLineInPieces() {
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1000)
        var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 0)
        var body = Array("m v=\"".utf8)
        body.reserveCapacity(4_100_000)
        let start = ContinuousClock.now
        for _ in 0..<4000 {
            body += piece
            #expect(body.withUnsafeBytes { scanner.scan($0, isFinal: false) } == .needsMoreBytes)
        }
        body += Array("\" 5\n".utf8)
        while body.withUnsafeBytes({ scanner.scan($0, isFinal: true) }) != .finished {}
        #expect(scanner.result.lines == 1)
        // Quadratic would be 8 GB of bytes looked at.
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}
