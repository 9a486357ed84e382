// MessagePack answers of InfluxDB: the same results as in JSON, in binary. Only what is needed to take rows out of a
// list: maps, arrays and strings are understood, everything else is stepped over.

/// Takes the gateway's own database out of lists in MessagePack.
struct MessagePackRows {
    private let bytes: [UInt8]
    private let listings: [Int: HiddenRows.Listing]

    init(_ bytes: [UInt8], listings: [Int: HiddenRows.Listing]) {
        self.bytes = bytes
        self.listings = listings
    }

    /// nil: the bytes are not what an InfluxDB writes.
    func removed() -> [UInt8]? {
        var position = 0
        var result: [UInt8] = []
        // Chunked answers are one document after the other.
        while position < bytes.count {
            guard let document = node(at: position) else { return nil }
            position = document.range.upperBound
            result += map(document) { key, value in
                key == "results" ? list(value.elements.map { self.result($0) }) : nil
            }
        }
        return result
    }

    private func result(_ result: Node) -> [UInt8] {
        guard let number = result["statement_id"]?.number, let listing = listings[number] else {
            return Array(bytes[result.range])
        }
        return map(result) { key, value in
            guard key == "series" else { return nil }
            return list(value.elements.filter { !isHidden($0, listing) }.map { series($0, listing) })
        }
    }

    private func isHidden(_ series: Node, _ listing: HiddenRows.Listing) -> Bool {
        switch listing {
        case .series: series["name"]?.text == HiddenDatabase.name
        case .tag: series["tags"]?["database"]?.text == HiddenDatabase.name
        case .rows, .column: false
        }
    }

    private func series(_ series: Node, _ listing: HiddenRows.Listing) -> [UInt8] {
        let column: Int?
        switch listing {
        case .rows: column = 0
        case .column: column = series["columns"]?.elements.firstIndex { $0.text == "database" }
        case .series, .tag: column = nil
        }
        guard let column else { return Array(bytes[series.range]) }
        return map(series) { key, value in
            guard key == "values" else { return nil }
            let kept = value.elements.filter {
                $0.elements.indices.contains(column) && $0.elements[column].text != HiddenDatabase.name
            }
            return list(kept.map { Array(bytes[$0.range]) })
        }
    }

    // MARK: Writing

    /// The map again, with other values where `value` has one.
    private func map(_ map: Node, value: (String, Node) -> [UInt8]?) -> [UInt8] {
        guard map.isMap else { return Array(bytes[map.range]) }
        var writer = MessagePackWriter()
        writer.map(map.members.count)
        for (key, member) in map.members {
            writer.bytes += bytes[key.range]
            writer.bytes += value(key.text ?? "", member) ?? Array(bytes[member.range])
        }
        return writer.bytes
    }

    private func list(_ elements: [[UInt8]]) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.array(elements.count)
        return writer.bytes + elements.joined()
    }

    // MARK: Reading

    private struct Node {
        var range: Range<Int>
        var isMap = false
        var members: [(key: Node, value: Node)] = []
        var elements: [Node] = []
        var text: String?
        var number: Int?

        subscript(_ key: String) -> Node? { members.first { $0.key.text == key }?.value }
    }

    private func node(at start: Int, depth: Int = 0) -> Node? {
        guard start < bytes.count, depth < 16 else { return nil }
        let first = bytes[start]
        func scalar(_ length: Int) -> Node? {
            start + 1 + length <= bytes.count ? Node(range: start..<start + 1 + length) : nil
        }
        switch first {
        case 0x00...0x7F: return Node(range: start..<start + 1, number: Int(first))
        case 0x80...0x8F: return container(start, 1, Int(first & 15), isMap: true, depth)
        case 0x90...0x9F: return container(start, 1, Int(first & 15), isMap: false, depth)
        case 0xA0...0xBF: return text(start, 1, Int(first & 31))
        case 0xC0, 0xC2, 0xC3, 0xE0...0xFF: return scalar(0)
        case 0xC4, 0xD9: return integer(start, 1).flatMap { text(start, 2, $0) }
        case 0xC5, 0xDA: return integer(start, 2).flatMap { text(start, 3, $0) }
        case 0xC6, 0xDB: return integer(start, 4).flatMap { text(start, 5, $0) }
        case 0xC7: return integer(start, 1).flatMap { scalar($0 + 2) }
        case 0xC8: return integer(start, 2).flatMap { scalar($0 + 3) }
        case 0xC9: return integer(start, 4).flatMap { scalar($0 + 5) }
        // Signed numbers, too: InfluxDB writes the larger statement numbers as such, and they are never negative.
        case 0xCC, 0xCD, 0xCE, 0xD0, 0xD1, 0xD2:
            let width = 1 << Int(first & 3)
            guard let number = integer(start, width) else { return nil }
            return Node(range: start..<start + 1 + width, number: number)
        case 0xCA: return scalar(4)
        case 0xCB, 0xCF, 0xD3: return scalar(8)
        case 0xD4...0xD8: return scalar(1 + (1 << Int(first - 0xD4)))
        case 0xDC: return integer(start, 2).flatMap { container(start, 3, $0, isMap: false, depth) }
        case 0xDD: return integer(start, 4).flatMap { container(start, 5, $0, isMap: false, depth) }
        case 0xDE: return integer(start, 2).flatMap { container(start, 3, $0, isMap: true, depth) }
        case 0xDF: return integer(start, 4).flatMap { container(start, 5, $0, isMap: true, depth) }
        default: return nil
        }
    }

    /// The unsigned number of `width` bytes behind the first.
    private func integer(_ start: Int, _ width: Int) -> Int? {
        guard start + 1 + width <= bytes.count else { return nil }
        return bytes[start + 1..<start + 1 + width].reduce(0) { $0 << 8 | Int($1) }
    }

    private func text(_ start: Int, _ head: Int, _ length: Int) -> Node? {
        let end = start + head + length
        guard end <= bytes.count else { return nil }
        return Node(range: start..<end, text: String(decoding: bytes[start + head..<end], as: UTF8.self))
    }

    private func container(_ start: Int, _ head: Int, _ count: Int, isMap: Bool, _ depth: Int) -> Node? {
        var result = Node(range: start..<start + head, isMap: isMap)
        var position = start + head
        for _ in 0..<count {
            guard let first = node(at: position, depth: depth + 1) else { return nil }
            position = first.range.upperBound
            if isMap {
                guard let value = node(at: position, depth: depth + 1) else { return nil }
                position = value.range.upperBound
                result.members.append((first, value))
            } else {
                result.elements.append(first)
            }
        }
        result.range = start..<position
        return result
    }
}

/// The smallest form of everything, as InfluxDB's encoder writes it.
struct MessagePackWriter {
    var bytes: [UInt8] = []

    mutating func map(_ count: Int) { head(count, small: 0x80, limit: 16, large: 0xDE) }
    mutating func array(_ count: Int) { head(count, small: 0x90, limit: 16, large: 0xDC) }

    mutating func text(_ text: String) {
        let utf8 = Array(text.utf8)
        if (32..<256).contains(utf8.count) {
            bytes += [0xD9, UInt8(utf8.count)]
        } else {
            head(utf8.count, small: 0xA0, limit: 32, large: 0xDA)
        }
        bytes += utf8
    }

    /// Not negative.
    mutating func number(_ number: Int) { head(number, small: 0, limit: 128, large: 0xD1) }

    private mutating func head(_ count: Int, small: UInt8, limit: Int, large: UInt8) {
        if count < limit {
            bytes.append(small | UInt8(count))
        } else if count < 32_768 || count < 65_536 && large != 0xD1 {
            bytes += [large, UInt8(count >> 8), UInt8(count & 255)]
        } else {
            bytes.append(large + 1)
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        }
    }
}
