// What is known about a body when it has been scanned, and how it becomes the payload.

/// A change of the body on its way to the payload: `removed` bytes at `offset` give way to `insertion`.
package struct Edit: Equatable, Sendable {
    package enum Insertion: UInt8, Sendable {
        case nothing
        /// A space and the arrival time.
        case stamp
        /// A byte that means nothing, see `LineScanner`: it stands where InfluxDB drops a byte.
        case filler
    }

    package let offset: Int
    package fileprivate(set) var removed: Int
    package let insertion: Insertion
}

/// The outcome of scanning one body.
package struct ScanResult: Sendable {
    /// Good points; the lines of the payload.
    package internal(set) var lines = 0
    /// Lines that are refused, also those beyond what `errors` holds.
    package internal(set) var badLines = 0
    /// The bad lines in their order, as many as the bound on the bytes they echo allows.
    package internal(set) var errors: [LineError] = []
    /// What must be changed in the body, by ascending offset. Empty: the payload is the body as it is, but for
    /// `lacksFinalNewline`. Comments and blank lines may stay in the payload.
    package private(set) var edits: [Edit] = []
    /// The body ends without a newline in a line that is kept: the payload has one more byte than the edited body.
    package internal(set) var lacksFinalNewline = false
    /// The time for points that have none, in the units of the body.
    package let arrivalTime: Int64

    private let stampLength: Int
    private var lengthDifference = 0
    private var bodyLength = 0

    private static let filler: UInt8 = UInt8(ascii: "_")

    init(arrivalTime: Int64) {
        self.arrivalTime = arrivalTime
        var length = arrivalTime < 0 ? 3 : 2
        var rest = arrivalTime / 10
        while rest != 0 {
            rest /= 10
            length += 1
        }
        stampLength = length
    }

    /// A space and the arrival time in decimal: what an edit with `.stamp` inserts.
    package var stamp: [UInt8] { Array(" \(arrivalTime)".utf8) }

    /// The payload is the body, byte by byte, plus a newline if `lacksFinalNewline`: nothing needs to be copied.
    package var isBodyAsIs: Bool { edits.isEmpty && lines > 0 }

    /// Bytes in the payload, its final newline included; 0 if there is no good line.
    package var payloadLength: Int {
        lines == 0 ? 0 : bodyLength + lengthDifference + (lacksFinalNewline ? 1 : 0)
    }

    mutating func append(_ insertion: Edit.Insertion, removing removed: Int = 0, at offset: Int) {
        lengthDifference += length(of: insertion) - removed
        if insertion == .nothing, let last = edits.last, last.insertion == .nothing,
            last.offset + last.removed == offset
        {
            edits[edits.count - 1].removed += removed
        } else {
            edits.append(Edit(offset: offset, removed: removed, insertion: insertion))
        }
    }

    mutating func finish(bodyLength: Int) {
        self.bodyLength = bodyLength
    }

    private func length(of insertion: Edit.Insertion) -> Int {
        switch insertion {
        case .nothing: 0
        case .stamp: stampLength
        case .filler: 1
        }
    }

    /// Writes the payload, the final newline included.
    ///
    /// - Parameters:
    ///   - body: The whole body that was scanned.
    ///   - destination: At least `payloadLength` bytes.
    /// - Returns: The bytes written: `payloadLength`.
    @discardableResult
    package func writePayload(
        of body: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(body.count == bodyLength, "the body is not the one that was scanned")
        precondition(destination.count >= payloadLength, "no room for the payload")
        if lines == 0 { return 0 }
        let stamp = edits.isEmpty ? [] : stamp
        var written = 0
        var read = 0
        func copy(upTo end: Int) {
            guard end > read else { return }
            UnsafeMutableRawBufferPointer(rebasing: destination[written...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: body[read..<end]))
            written += end - read
        }
        for edit in edits {
            copy(upTo: edit.offset)
            read = edit.offset + edit.removed
            switch edit.insertion {
            case .nothing:
                break
            case .stamp:
                UnsafeMutableRawBufferPointer(rebasing: destination[written...]).copyBytes(from: stamp)
                written += stamp.count
            case .filler:
                destination[written] = ScanResult.filler
                written += 1
            }
        }
        copy(upTo: body.count)
        if lacksFinalNewline {
            destination[written] = Byte.newline
            written += 1
        }
        return written
    }
}

// MARK: - What the client is told

extension ScanResult {
    /// The message of InfluxDB's 400 for the bad lines; empty if there are none. May hold any bytes, also newlines.
    ///
    /// All lines bad: `unable to parse 'LINE': REASON`, one line each. Some good: the same inside
    /// `partial write: ... dropped=0`; InfluxDB says 0 always.
    package var failureMessageBytes: [UInt8] {
        guard badLines > 0 else { return [] }
        var message = Array(errors.map(\.message).joined(separator: [Byte.newline]))
        if badLines > errors.count {
            message += Array("\n... and \(badLines - errors.count) more lines".utf8)
        }
        guard lines > 0 else { return message }
        return Array("partial write: ".utf8) + message + Array(" dropped=0".utf8)
    }

    /// `failureMessageBytes` as text; each byte that is not UTF-8 becomes U+FFFD, as in Go's JSON.
    package var failureMessage: String {
        let bytes = failureMessageBytes
        var text = ""
        var valid = 0
        var i = 0
        while i < bytes.count {
            let length = UTF8Sequence.length(bytes[i...])
            if length == 0 {
                text += String(decoding: bytes[valid..<i], as: UTF8.self) + "\u{FFFD}"
                valid = i + 1
            }
            i += max(length, 1)
        }
        return text + String(decoding: bytes[valid...], as: UTF8.self)
    }
}

private enum UTF8Sequence {
    /// The length of the encoded scalar that the bytes begin with, 0 if there is none.
    static func length(_ bytes: ArraySlice<UInt8>) -> Int {
        guard let first = bytes.first else { return 0 }
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        let rest = bytes.dropFirst().prefix(length - 1)
        guard rest.count == length - 1, let next = rest.first, second ~= next else { return 0 }
        return rest.dropFirst().allSatisfy { 0x80...0xBF ~= $0 } ? length : 0
    }
}
