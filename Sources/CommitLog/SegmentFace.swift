// What a segment file says about itself at its beginning and, if it was rewritten, at its end; shared by opening and by
// looking.

struct SegmentFace {
    /// Nil: damaged.
    var header: SegmentHeader?
    /// Nil: not rewritten, or damaged.
    var rewrite: RewriteHeader?
    /// Where the first group lies.
    var contentStart = UInt64(Layout.segmentHeaderBytes)
    /// Of a rewritten segment, as far as its table can be read.
    var shares: SegmentShares?
    /// Not nil: the segment was rewritten.
    var leftOut: LeftOut?

    /// Differs between the files that have one segment's name one after the other.
    private(set) var stamp: UInt32 = 0

    var isRewritten: Bool { leftOut != nil }

    static func stamp(of file: any File) throws(FileError) -> UInt32 {
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(RewriteHeader.contentStart), alignment: 8)
        defer { head.deallocate() }
        return stamp(of: Layout.slice(UnsafeRawBufferPointer(head), 0..<(try file.read(at: 0, into: head))))
    }

    /// 0 for an original segment, else the checksum over what the rewritten one left out.
    static func stamp(of head: UnsafeRawBufferPointer) -> UInt32 {
        guard head.count >= Int(RewriteHeader.contentStart),
            Layout.integer(head, 8, UInt32.self) == Layout.rewrittenVersion
        else { return 0 }
        return Layout.integer(head, Layout.segmentHeaderBytes, UInt32.self)
    }

    /// - Parameter identity: the log's, if it is known from elsewhere.
    init(of file: any File, path: String, base: Offset, identity: LogIdentity?) throws {
        let segment = SegmentFile(
            file: file, path: path, context: SegmentContext(identity: identity ?? .random(), base: base))
        let all = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(RewriteHeader.contentStart) + Layout.groupMarkBytes, alignment: 8)
        defer { all.deallocate() }
        let head = Layout.slice(UnsafeRawBufferPointer(all), 0..<(try segment.read(at: 0, into: all)))
        stamp = Self.stamp(of: head)
        do {
            let decoded = try SegmentHeader(decoding: head)
            if decoded.base == base { header = decoded }
        } catch {
            if case .unsupported(let version) = error {
                throw LogError.unsupportedFormat(path: path, version: version)
            }
        }
        guard let identity = header?.identity ?? identity else { return }
        let context = SegmentContext(identity: identity, base: base)
        let content = Int(RewriteHeader.contentStart)
        guard header.map(\.isRewritten) ?? Self.looksRewritten(head, base, context) else { return }
        contentStart = RewriteHeader.contentStart
        leftOut = LeftOut(isUnknown: true)
        guard head.count >= content,
            let rewrite = RewriteHeader(
                decoding: Layout.slice(head, Layout.segmentHeaderBytes..<content), context: context)
        else { return }
        self.rewrite = rewrite
        let table = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rewrite.rows * ShareTable.rowBytes, alignment: 8)
        defer { table.deallocate() }
        let count = try segment.read(at: rewrite.tablePosition, into: table)
        let rows = UnsafeRawBufferPointer(table)
        guard count == rows.count, Layout.crc32c(context.seed, rows) == rewrite.tableChecksum else { return }
        let decoded = ShareTable.decode(rows)
        shares = decoded.shares
        leftOut = decoded.leftOut
    }

    /// Of a segment whose header is damaged: its first group lies where only a rewritten one has it.
    private static func looksRewritten(
        _ head: UnsafeRawBufferPointer, _ base: Offset, _ context: SegmentContext
    ) -> Bool {
        func isFirstMark(at position: Int) -> Bool {
            head.count >= position + Layout.groupMarkBytes
                && GroupMark.decode(Layout.slice(head, position..<head.count), context: context)?.mark.durableEnd
                    == base
        }
        return !isFirstMark(at: Layout.segmentHeaderBytes) && isFirstMark(at: Int(RewriteHeader.contentStart))
    }
}
