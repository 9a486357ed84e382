// Reading one segment file: sequential reads that survive unreadable sectors, and the search for the next mark
// behind a damaged place.

import Glibc

/// A segment file together with what its content must match.
struct SegmentFile: Sendable {
    let file: any File
    let path: String
    let context: SegmentContext

    /// Reads as `pread` does; a sector that the disk cannot give becomes zeroes, which no checksum accepts.
    func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        do {
            return try file.read(at: position, into: buffer)
        } catch {
            guard error.errno == EIO else { throw error }
        }
        let size = try file.size()
        let wanted = min(buffer.count, size > position ? Int(size - position) : 0)
        var done = 0
        while done < wanted {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<min(done + 4096, wanted)])
            do {
                let count = try file.read(at: position + UInt64(done), into: piece)
                done += count
                if count < piece.count { break }
            } catch {
                guard error.errno == EIO else { throw error }
                piece.initializeMemory(as: UInt8.self, repeating: 0)
                done += piece.count
            }
        }
        return done
    }

    struct FoundMark {
        let mark: GroupMark
        let seed: UInt32
        let position: UInt64
    }

    /// The first mark at or behind `position` that begins at a later record than `offset`.
    func findMark(from position: UInt64, after offset: Offset) throws(FileError) -> FoundMark? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
        defer { buffer.deallocate() }
        var position = (position + 7) & ~7
        while true {
            let count = try read(at: position, into: buffer)
            guard count >= Layout.groupMarkBytes else { return nil }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            var place = 0
            while place + Layout.groupMarkBytes <= count {
                if Layout.integer(bytes, place, UInt64.self) == context.secret,
                    let (mark, seed) = GroupMark.decode(Layout.slice(bytes, place..<count), context: context),
                    mark.durableEnd > offset
                {
                    return FoundMark(mark: mark, seed: seed, position: position + UInt64(place))
                }
                place += 8
            }
            position += UInt64(place)
        }
    }
}

/// A buffer that slides over a file from front to back.
struct SlidingBuffer: ~Copyable {
    private var buffer: UnsafeMutableRawBufferPointer
    private var position: UInt64 = 0
    private var count = 0

    init(bytes: Int) {
        buffer = .allocate(byteCount: bytes, alignment: 8)
    }

    deinit {
        buffer.deallocate()
    }

    /// The bytes of the file from `wanted` on, `minimum` at least unless the file ends before. Valid until the next
    /// call.
    mutating func bytes(
        of segment: SegmentFile, at wanted: UInt64, minimum: Int
    ) throws(FileError) -> UnsafeRawBufferPointer {
        let end = position + UInt64(count)
        if wanted < position || wanted + UInt64(minimum) > end {
            if minimum > buffer.count {
                buffer.deallocate()
                buffer = .allocate(byteCount: minimum, alignment: 8)
            }
            count = 0
            count = try segment.read(at: wanted, into: buffer)
            position = wanted
        }
        let skip = Int(wanted - position)
        return UnsafeRawBufferPointer(rebasing: buffer[min(skip, count)..<count])
    }
}
