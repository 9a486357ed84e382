// The ledger is the small file beside the segments: identity, epoch, how far the log was known to be durable, and
// the cursors. It is replaced as a whole, never changed in place.

/// Magic (8), format version (4), CRC of what follows (4), log id (16), secret (8), epoch (8), start (8), durable
/// end (8), closed cleanly (4), cursor count (4), then per cursor: offset (8), name length (4), name in UTF-8.
package struct Ledger: Equatable, Sendable {
    package static let magic: UInt64 = 0x4745_4c45_4349_554c  // "LUICELEG"
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
        let checksum = bytes.withUnsafeBytes { Layout.crc32c(Layout.formatVersion, $0) }
        let content = bytes
        bytes = []
        append(Self.magic)
        append(Layout.formatVersion)
        append(checksum)
        return bytes + content
    }

    package init(
        identity: LogIdentity, epoch: UInt64, start: Offset, durableEnd: Offset, closedCleanly: Bool,
        cursors: [String: Offset]
    ) {
        self.identity = identity
        self.epoch = epoch
        self.start = start
        self.durableEnd = durableEnd
        self.closedCleanly = closedCleanly
        self.cursors = cursors
    }

    package init(decoding bytes: UnsafeRawBufferPointer) throws(Problem) {
        guard bytes.count >= 72, Layout.integer(bytes, 0, UInt64.self) == Self.magic else { throw .damaged }
        let version = Layout.integer(bytes, 8, UInt32.self)
        guard Layout.integer(bytes, 12, UInt32.self) == Layout.crc32c(version, Layout.slice(bytes, 16..<bytes.count))
        else { throw .damaged }
        guard version == Layout.formatVersion else { throw .unsupported(version: version) }
        identity = LogIdentity(
            id: LogID(high: Layout.integer(bytes, 16, UInt64.self), low: Layout.integer(bytes, 24, UInt64.self)),
            secret: Layout.integer(bytes, 32, UInt64.self))
        epoch = Layout.integer(bytes, 40, UInt64.self)
        start = Offset(Layout.integer(bytes, 48, UInt64.self))
        durableEnd = Offset(Layout.integer(bytes, 56, UInt64.self))
        closedCleanly = Layout.integer(bytes, 64, UInt32.self) == 1
        let count = Layout.integer(bytes, 68, UInt32.self)
        cursors = [:]
        var position = 72
        for _ in 0..<count {
            guard bytes.count - position >= 12 else { throw .damaged }
            let cursor = Offset(Layout.integer(bytes, position, UInt64.self))
            let length = Int(Layout.integer(bytes, position + 8, UInt32.self))
            position += 12
            guard bytes.count - position >= length else { throw .damaged }
            cursors[String(decoding: bytes[position..<position + length], as: UTF8.self)] = cursor
            position += length
        }
        guard position == bytes.count else { throw .damaged }
    }
}

/// Reads and replaces the ledger's file.
struct LedgerFile: Sendable {
    let folder: String
    let fileSystem: any FileSystem

    /// Room for tens of thousands of cursors.
    private static let maximumBytes = 4 << 20

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
