// Bodies of records are little-endian and versioned by their first byte; this file holds what the codecs of the
// three kinds share: a cursor that never traps on garbage, and a writer into memory that is exactly large enough.

/// A body that is not what its kind says. The log's checksums were right, so it was written by another version.
package struct RecordFormatError: Error, Equatable, Sendable, CustomStringConvertible {
    package let kind: RecordKind
    package let reason: String

    package var description: String {
        "a \(kind) record cannot be read: \(reason)"
    }
}

/// The body of a record, written in one piece.
package protocol RecordBody {
    static var kind: RecordKind { get }
    /// Bytes that ``encode(into:)`` fills.
    var encodedSize: Int { get }
    /// Fills the buffer, which has exactly ``encodedSize`` bytes.
    func encode(into buffer: UnsafeMutableRawBufferPointer)
}

extension LogAppender {
    /// Appends a record whose body is encoded straight into the staging buffer.
    package func append(_ body: some RecordBody, replicaSet: UInt16, endsEntry: Bool = true) throws(LogError) {
        try append(
            kind: type(of: body).kind, replicaSet: replicaSet, bodyBytes: body.encodedSize, endsEntry: endsEntry,
            write: body.encode(into:))
    }
}

/// Writes fields one after the other. The buffer's size was computed by `encodedSize`; a mismatch is a bug here,
/// so it traps.
struct FieldWriter {
    private var rest: UnsafeMutableRawBufferPointer

    init(_ buffer: UnsafeMutableRawBufferPointer) {
        rest = buffer
    }

    mutating func integer<T: FixedWidthInteger>(_ value: T) {
        rest.storeBytes(of: value.littleEndian, as: T.self)
        advance(MemoryLayout<T>.size)
    }

    /// A length of 32 bits, then the UTF-8.
    mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            integer(UInt32(utf8.count))
            rest.copyMemory(from: UnsafeRawBufferPointer(utf8))
            advance(utf8.count)
        }
    }

    func end() {
        precondition(rest.isEmpty, "encodedSize and encode(into:) disagree")
    }

    private mutating func advance(_ count: Int) {
        rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
    }

    static func size(of text: String) -> Int {
        4 + text.utf8.count
    }
}

/// Reads fields one after the other; says no to whatever does not fit.
struct FieldReader {
    let kind: RecordKind
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer, kind: RecordKind) {
        self.bytes = bytes
        self.kind = kind
    }

    func fail(_ reason: String) -> RecordFormatError {
        RecordFormatError(kind: kind, reason: reason)
    }

    mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(RecordFormatError) -> T {
        let size = MemoryLayout<T>.size
        guard bytes.count - position >= size else { throw fail("it ends early") }
        defer { position += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    mutating func range() throws(RecordFormatError) -> Range<Int> {
        let count = Int(try integer(UInt32.self))
        guard bytes.count - position >= count else { throw fail("a text is longer than the record") }
        defer { position += count }
        return position..<position + count
    }

    mutating func text() throws(RecordFormatError) -> String {
        let range = try range()
        let utf8 = UnsafeRawBufferPointer(rebasing: bytes[range])
        guard let text = String(validating: utf8, as: UTF8.self) else { throw fail("a text is not UTF-8") }
        return text
    }

    mutating func version(upTo newest: UInt8) throws(RecordFormatError) -> UInt8 {
        let version = try integer(UInt8.self)
        guard (1...newest).contains(version) else { throw fail("version \(version) is not known") }
        return version
    }

    mutating func rest() -> Range<Int> {
        defer { position = bytes.count }
        return position..<bytes.count
    }

    func end() throws(RecordFormatError) {
        guard position == bytes.count else { throw fail("\(bytes.count - position) bytes too many") }
    }
}
