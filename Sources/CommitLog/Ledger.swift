// The ledger is the small file beside the segments: identity, epoch, how far the log was known to be durable, the
// cursors and the notes. It is replaced as a whole, never changed in place.

/// Magic (8), format version (4), CRC of what follows (4), log id (16), secret (8), epoch (8), start (8), durable
/// end (8), closed cleanly (4), cursor count (4), then per cursor: offset (8), name length (4), name in UTF-8.
/// From version 2 on: note count (4), then per note: name length (4), name in UTF-8, byte count (4), bytes.
package struct Ledger: Equatable, Sendable {
    package static let magic: UInt64 = 0x4745_4c45_4349_554c  // "LUICELEG"
    /// Version 1, without notes, is still read.
    package static let formatVersion: UInt32 = 2
    package static let fileName = "ledger"
    package static let temporaryName = "ledger.new"

    package var identity: LogIdentity
    package var epoch: UInt64
    /// Records below may have been deleted.
    package var start: Offset
    /// All below was durable when this was written; damage there is rot, however the file ends.
    package var durableEnd: Offset
    package var closedCleanly: Bool
    package var cursors: [String: Offset]
    package var notes: [String: [UInt8]]

    package enum Problem: Error, Equatable {
        case damaged
        case unsupported(version: UInt32)
    }

    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(identity.id.high)
        append(identity.id.low)
        append(identity.secret)
        append(epoch)
        append(start.rawValue)
        append(durableEnd.rawValue)
        append(UInt32(closedCleanly ? 1 : 0))
        append(UInt32(cursors.count))
        for (name, cursor) in cursors.sorted(by: { $0.key < $1.key }) {
            append(cursor.rawValue)
            append(UInt32(name.utf8.count))
            bytes.append(contentsOf: name.utf8)
        }
        append(UInt32(notes.count))
        for (name, note) in notes.sorted(by: { $0.key < $1.key }) {
            append(UInt32(name.utf8.count))
            bytes.append(contentsOf: name.utf8)
            append(UInt32(note.count))
            bytes.append(contentsOf: note)
        }
        let checksum = bytes.withUnsafeBytes { Layout.crc32c(Self.formatVersion, $0) }
        let content = bytes
        bytes = []
        append(Self.magic)
        append(Self.formatVersion)
        append(checksum)
        return bytes + content
    }

    package init(
        identity: LogIdentity, epoch: UInt64, start: Offset, durableEnd: Offset, closedCleanly: Bool,
        cursors: [String: Offset], notes: [String: [UInt8]]
    ) {
        self.identity = identity
        self.epoch = epoch
        self.start = start
        self.durableEnd = durableEnd
        self.closedCleanly = closedCleanly
        self.cursors = cursors
        self.notes = notes
    }

    package init(decoding bytes: UnsafeRawBufferPointer) throws(Problem) {
        guard bytes.count >= 72, Layout.integer(bytes, 0, UInt64.self) == Self.magic else { throw .damaged }
        let version = Layout.integer(bytes, 8, UInt32.self)
        guard Layout.integer(bytes, 12, UInt32.self) == Layout.crc32c(version, Layout.slice(bytes, 16..<bytes.count))
        else { throw .damaged }
        guard (1...Self.formatVersion).contains(version) else { throw .unsupported(version: version) }
        identity = LogIdentity(
            id: LogID(high: Layout.integer(bytes, 16, UInt64.self), low: Layout.integer(bytes, 24, UInt64.self)),
            secret: Layout.integer(bytes, 32, UInt64.self))
        epoch = Layout.integer(bytes, 40, UInt64.self)
        start = Offset(Layout.integer(bytes, 48, UInt64.self))
        durableEnd = Offset(Layout.integer(bytes, 56, UInt64.self))
        closedCleanly = Layout.integer(bytes, 64, UInt32.self) == 1
        var rest = Rest(bytes: bytes, position: 68)
        cursors = [:]
        for _ in 0..<(try rest.integer(UInt32.self)) {
            let cursor = Offset(try rest.integer(UInt64.self))
            cursors[try rest.text()] = cursor
        }
        notes = [:]
        if version >= 2 {
            for _ in 0..<(try rest.integer(UInt32.self)) {
                let name = try rest.text()
                notes[name] = Array(try rest.counted())
            }
        }
        guard rest.isEmpty else { throw .damaged }
    }

    /// What is left to decode.
    private struct Rest {
        let bytes: UnsafeRawBufferPointer
        var position: Int

        var isEmpty: Bool { position == bytes.count }

        mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(Problem) -> T {
            guard bytes.count - position >= MemoryLayout<T>.size else { throw .damaged }
            defer { position += MemoryLayout<T>.size }
            return Layout.integer(bytes, position, type)
        }

        /// A count (4) and as many bytes.
        mutating func counted() throws(Problem) -> Slice<UnsafeRawBufferPointer> {
            let count = Int(try integer(UInt32.self))
            guard bytes.count - position >= count else { throw .damaged }
            defer { position += count }
            return bytes[position..<position + count]
        }

        mutating func text() throws(Problem) -> String { String(decoding: try counted(), as: UTF8.self) }
    }
}

/// Reads and replaces the ledger's file.
struct LedgerFile: Sendable {
    let folder: String
    let fileSystem: any FileSystem

    /// Room for tens of thousands of cursors, and for all notes.
    private static let maximumBytes = 8 << 20

    private var path: String { folder + "/" + Ledger.fileName }

    /// Nil: there is none.
    func read(names: some Sequence<String>) throws(LogError) -> Result<Ledger, Ledger.Problem>? {
        guard names.contains(Ledger.fileName) else { return nil }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.maximumBytes, alignment: 8)
        defer { bytes.deallocate() }
        let count: Int
        do {
            count = try fileSystem.open(path, .read).read(at: 0, into: bytes)
        } catch {
            throw .file(error)
        }
        do {
            return .success(try Ledger(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<count])))
        } catch {
            return .failure(error)
        }
    }

    /// After a power loss the file is the old one or the new one, whole; on return it is the new one.
    func replace(with ledger: Ledger) throws(FileError) {
        let temporary = folder + "/" + Ledger.temporaryName
        // A leftover of an attempt that failed; usually there is none.
        try? fileSystem.remove(temporary)
        let file = try fileSystem.create(temporary)
        let bytes = ledger.encoded()
        let written = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try file.write(at: 0, [bytes]) }
        }
        try written.get()
        try file.sync()
        try fileSystem.rename(temporary, to: path)
        try fileSystem.syncFolder(folder)
    }

    /// Puts a damaged ledger aside for a person to look at.
    func setAside() throws(FileError) {
        try fileSystem.rename(path, to: path + ".damaged")
        try fileSystem.syncFolder(folder)
    }
}
