// What the machine can do, measured beside the gateway: how fast memory is copied, and what the disk under the log does,
// since group commit lives from write plus fdatasync.

import Glibc

struct MemoryProbe {
    /// Gigabytes (10^9) per second, copied in pieces of 1 MB from 64 MB to as many others: the best of eight times.
    var copiedGigabytesPerSecond = 0.0

    static func run() -> MemoryProbe {
        let bytes = 64 << 20
        let piece = 1 << 20
        let source = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
        let target = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
        defer {
            source.deallocate()
            target.deallocate()
        }
        memset(source, 1, bytes)
        memset(target, 2, bytes)
        let best = (0..<8).reduce(UInt64.max) { best, _ in
            let start = now()
            for offset in stride(from: 0, to: bytes, by: piece) { memcpy(target + offset, source + offset, piece) }
            return min(best, now() - start)
        }
        // Bytes per nanosecond.
        return MemoryProbe(copiedGigabytesPerSecond: Double(bytes) / Double(best))
    }
}

struct DiskProbe {
    /// Median microseconds of one write of 60 KB and its fdatasync into an allocated file.
    var smallGroupMicroseconds = 0.0
    /// What one in a hundred of them took at least; far from the median, others are using the disk.
    var slowestGroupMicroseconds = 0.0
    /// The median in a file that is allocated, but was never written: what a log pays in its first segments.
    var freshGroupMicroseconds = 0.0
    /// Megabytes (10^6) per second in groups of 1 MB.
    var largeGroupMegabytesPerSecond = 0.0

    /// Takes about a second; leaves nothing in `folder`.
    static func run(in folder: String) throws -> DiskProbe {
        let path = "\(folder)/probe"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BenchError.system("cannot create \(path)", errno) }
        defer {
            close(descriptor)
            unlink(path)
        }
        let fileBytes = 64 << 20
        guard posix_fallocate(descriptor, 0, off_t(fileBytes)) == 0 else { throw BenchError("\(path): no room") }
        let fresh = try measure(descriptor, group: 60_000, count: 600).sorted()
        // Written once before the measurement, as a recycled segment of the log has been.
        try measure(descriptor, group: 1 << 20, count: fileBytes >> 20)
        let small = try measure(descriptor, group: 60_000, count: 600).sorted()
        let large = try measure(descriptor, group: 1_000_000, count: 60)
        let seconds = Double(large.reduce(0, +)) / 1e9
        return DiskProbe(
            smallGroupMicroseconds: Double(small[small.count / 2]) / 1000,
            slowestGroupMicroseconds: Double(small[small.count * 99 / 100]) / 1000,
            freshGroupMicroseconds: Double(fresh[fresh.count / 2]) / 1000,
            largeGroupMegabytesPerSecond: Double(large.count) / seconds
        )
    }

    /// Nanoseconds of each write and sync, one after the other from the file's start.
    @discardableResult
    private static func measure(_ descriptor: Int32, group: Int, count: Int) throws -> [UInt64] {
        let bytes = (0..<group).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        return try (0..<count).map { number in
            let start = now()
            guard pwrite(descriptor, bytes, group, off_t(number * group)) == group, fdatasync(descriptor) == 0 else {
                throw BenchError.system("write and fdatasync", errno)
            }
            return now() - start
        }
    }
}
