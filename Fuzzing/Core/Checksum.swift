// Makes damaged files look whole: with right checksums, what they say reaches the code behind the checks.

import CPlatform
import CommitLog

enum Checksum {
    /// A ledger's magic and checksum, over whatever it says.
    static func sealLedger(_ bytes: inout [UInt8]) {
        guard bytes.count >= 16 else { return }
        store(Ledger.magic, &bytes, 0)
        let version = UInt32(truncatingIfNeeded: integer(bytes, 8, 4))
        store(crc(version, bytes[16...]), &bytes, 12)
    }

    /// The checksums of a segment's header, marks and records, as far as they can be followed from its beginning.
    static func sealSegment(_ bytes: inout [UInt8], base: Offset, identity: LogIdentity) {
        guard bytes.count >= 64 else { return }
        store(crc(crc(0, bytes[..<12]), bytes[16..<64]), &bytes, 12)
        let context = SegmentContext(identity: identity, base: base)
        var place = 64
        // Room that was never written holds no marks: sealed, a megabyte of it would be 16,384 of them.
        while place + 64 <= bytes.count, bytes[place..<(place + 64)].contains(where: { $0 != 0 }) {
            store(context.secret, &bytes, place)
            let seed = crc(context.seed, bytes[(place + 12)..<(place + 64)])
            store(seed, &bytes, place + 8)
            var records = integer(bytes, place + 12, 4)
            place += 64
            while records > 0, place + 32 <= bytes.count {
                let body = Int(integer(bytes, place + 4, 4))
                if body <= bytes.count - place - 32 {
                    store(crc(0, bytes[(place + 32)..<(place + 32 + body)]), &bytes, place + 28)
                }
                store(crc(seed, bytes[(place + 4)..<(place + 32)]), &bytes, place)
                place += 32 + (body + 7) & ~7
                records -= 1
            }
        }
    }

    private static func crc(_ seed: UInt32, _ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { cplatform_crc32c(seed, $0.baseAddress, $0.count) }
    }

    private static func integer(_ bytes: [UInt8], _ place: Int, _ size: Int) -> UInt64 {
        bytes[place..<(place + size)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func store(_ value: some FixedWidthInteger, _ bytes: inout [UInt8], _ place: Int) {
        for (index, byte) in withUnsafeBytes(of: value.littleEndian, Array.init).enumerated() {
            bytes[place + index] = byte
        }
    }
}
