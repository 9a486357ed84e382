// Snappy's block format, under a bound: how much comes out is written in front, and only then is memory taken for it.

import CSnappy

package enum Snappy {
    package enum Failure: Error, Equatable, Sendable {
        case corrupt
        /// More would come out than allowed.
        case tooLarge(limit: Int)

        /// What InfluxDB, a Go program, answers in this case.
        package var words: String {
            switch self {
            case .corrupt: "snappy: corrupt input"
            case .tooLarge: "Request Entity Too Large"
            }
        }
    }

    /// A copy of 64 bytes takes three: whoever promises more than that lies.
    private static let greatestRatio = 22

    /// How many bytes come out of `block`, if it keeps its promise.
    /// - Parameter limit: how many are allowed.
    package static func decodedLength(of block: UnsafeRawBufferPointer, limit: Int) throws(Failure) -> Int {
        var length = 0
        let status = snappy_uncompressed_length(block.bytes, block.count, &length)
        guard status == SNAPPY_OK, length <= block.count * greatestRatio else { throw .corrupt }
        guard length <= limit else { throw .tooLarge(limit: limit) }
        return length
    }

    /// - Parameter limit: how many bytes may come out.
    package static func decoded(_ block: UnsafeRawBufferPointer, limit: Int) throws(Failure) -> [UInt8] {
        let length = try decodedLength(of: block, limit: limit)
        var isGood = false
        let result = [UInt8](unsafeUninitializedCapacity: max(length, 1)) { room, count in
            var written = length
            isGood = room.withMemoryRebound(to: CChar.self) {
                snappy_uncompress(block.bytes, block.count, $0.baseAddress, &written) == SNAPPY_OK
            }
            count = isGood ? written : 0
        }
        guard isGood, result.count == length else { throw .corrupt }
        return result
    }

    package static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        let greatest = snappy_max_compressed_length(bytes.count)
        return bytes.withUnsafeBytes { source in
            [UInt8](unsafeUninitializedCapacity: greatest) { room, count in
                var written = greatest
                let status = room.withMemoryRebound(to: CChar.self) {
                    snappy_compress(source.bytes, source.count, $0.baseAddress, &written)
                }
                precondition(status == SNAPPY_OK, "snappy found the room it asked for too small")
                count = written
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var bytes: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}
