// The first bytes of a value in MessagePack: what it is, and how much follows.

enum MessagePackHead: Equatable {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// Above the range of Int64.
    case unsigned(UInt64)
    case float(Double)
    /// So many bytes follow; binary data, too.
    case text(Int)
    /// So many values follow.
    case array(Int)
    /// So many pairs of values follow.
    case map(Int)
    /// So many bytes of a type that is not MessagePack's own follow.
    case extended(type: Int8, Int)

    /// The bytes are no MessagePack.
    struct Malformed: Error, Equatable {}

    /// Reads the head at `position` and goes behind it.
    /// - Returns: nil: there are too few bytes, and `position` stays.
    static func read(_ bytes: [UInt8], at position: inout Int) throws(Malformed) -> MessagePackHead? {
        guard position < bytes.count else { return nil }
        let first = bytes[position]
        let start = position + 1
        /// The big-endian number of `width` bytes that stands `offset` bytes behind the first.
        func number(_ width: Int, offset: Int = 0) -> UInt64? {
            let from = start + offset
            guard from + width <= bytes.count else { return nil }
            var value: UInt64 = 0
            for index in from..<from + width { value = value << 8 | UInt64(bytes[index]) }
            return value
        }
        func signed(_ width: Int) -> Int64? {
            number(width).map { Int64(truncatingIfNeeded: $0 << (64 - 8 * width)) >> (64 - 8 * width) }
        }
        func length(_ width: Int) -> Int? { number(width).map { Int($0) } }
        let head: MessagePackHead?
        var width = 0
        switch first {
        case 0x00...0x7F: head = .integer(Int64(first))
        case 0x80...0x8F: head = .map(Int(first & 15))
        case 0x90...0x9F: head = .array(Int(first & 15))
        case 0xA0...0xBF: head = .text(Int(first & 31))
        case 0xC0: head = .null
        case 0xC1: throw Malformed()
        case 0xC2, 0xC3: head = .boolean(first == 0xC3)
        case 0xC4, 0xC5, 0xC6:
            width = 1 << Int(first - 0xC4)
            head = length(width).map { .text($0) }
        case 0xC7, 0xC8, 0xC9:
            let lengthWidth = 1 << Int(first - 0xC7)
            width = lengthWidth + 1
            let type = number(1, offset: lengthWidth)
            head = type.flatMap { type in
                length(lengthWidth).map { .extended(type: Int8(truncatingIfNeeded: type), $0) }
            }
        case 0xCA:
            width = 4
            head = number(4).map { .float(Double(Float(bitPattern: UInt32($0)))) }
        case 0xCB:
            width = 8
            head = number(8).map { .float(Double(bitPattern: $0)) }
        case 0xCC...0xCF:
            width = 1 << Int(first - 0xCC)
            head = number(width).map { value in Int64(exactly: value).map { .integer($0) } ?? .unsigned(value) }
        case 0xD0...0xD3:
            width = 1 << Int(first - 0xD0)
            head = signed(width).map { .integer($0) }
        case 0xD4...0xD8:
            width = 1
            head = number(1).map { .extended(type: Int8(truncatingIfNeeded: $0), 1 << Int(first - 0xD4)) }
        case 0xD9, 0xDA, 0xDB:
            width = 1 << Int(first - 0xD9)
            head = length(width).map { .text($0) }
        case 0xDC, 0xDD:
            width = 2 << Int(first - 0xDC)
            head = length(width).map { .array($0) }
        case 0xDE, 0xDF:
            width = 2 << Int(first - 0xDE)
            head = length(width).map { .map($0) }
        default: head = .integer(Int64(Int8(bitPattern: first)))
        }
        if head != nil { position = start + width }
        return head
    }

    /// What follows the head, as bytes and as values.
    var following: (bytes: Int, values: Int) {
        switch self {
        case .text(let count), .extended(_, let count): (count, 0)
        case .array(let count): (0, count)
        case .map(let count): (0, 2 * count)
        case .null, .boolean, .integer, .unsigned, .float: (0, 0)
        }
    }
}
