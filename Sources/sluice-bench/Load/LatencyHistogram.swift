// Latencies in logarithmic buckets, each split into 32: at most 3 % off at any size, in 16 KB, without allocation.

struct LatencyHistogram {
    private static let subBits = 5
    private var buckets = [UInt64](repeating: 0, count: 64 << subBits)
    private(set) var count: UInt64 = 0
    private(set) var largest: UInt64 = 0

    /// - Parameter value: nanoseconds.
    mutating func record(_ value: UInt64) {
        buckets[Self.bucket(of: value)] += 1
        count += 1
        largest = max(largest, value)
    }

    /// The latency in nanoseconds that `fraction` of all were at most (the upper edge of its bucket); 0 when empty.
    func percentile(_ fraction: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let rank = UInt64((Double(count) * fraction).rounded(.up))
        var seen: UInt64 = 0
        for (index, inBucket) in buckets.enumerated() {
            seen += inBucket
            if seen >= max(rank, 1) { return min(Self.upperEdge(of: index), largest) }
        }
        return largest
    }

    private static func bucket(of value: UInt64) -> Int {
        guard value >> subBits > 0 else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - subBits
        // The leading bit becomes part of the bucket's number, the next five bits its place in it.
        return (shift + 1) << subBits + Int(value >> UInt64(shift)) - (1 << subBits)
    }

    private static func upperEdge(of bucket: Int) -> UInt64 {
        guard bucket >> subBits > 0 else { return UInt64(bucket) }
        let shift = bucket >> subBits - 1
        let mantissa = UInt64(bucket & ((1 << subBits) - 1)) + 1 << UInt64(subBits)
        return (mantissa + 1) << UInt64(shift) - 1
    }
}
