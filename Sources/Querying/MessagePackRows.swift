// MessagePack answers of InfluxDB: the same results as in JSON, in binary. Only what is needed to take rows out of a
// list: maps, arrays and strings are understood, everything else is stepped over.

/// Takes databases out of lists in MessagePack.
struct MessagePackRows {
    private let bytes: [UInt8]
    private let listings: [Int: HiddenRows.Listing]
    private let hides: HiddenRows.Hiding

    init(_ bytes: [UInt8], listings: [Int: HiddenRows.Listing], hides: @escaping HiddenRows.Hiding) {
        self.bytes = bytes
        self.listings = listings
        self.hides = hides
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
        case .series: hides(series["name"]?.text, listing)
        case .tag: hides(series["tags"]?["database"]?.text, listing)
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
                $0.elements.indices.contains(column) && !hides($0.elements[column].text, listing)
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
        var position = start
        guard depth < 16, let head = try? MessagePackHead.read(bytes, at: &position) else { return nil }
        switch head {
        case .array(let count): return container(start, position, count, isMap: false, depth)
        case .map(let count): return container(start, position, count, isMap: true, depth)
        default: break
        }
        let end = position + head.following.bytes
        guard end <= bytes.count else { return nil }
        var node = Node(range: start..<end)
        switch head {
        case .integer(let number): node.number = Int(number)
        case .text: node.text = String(decoding: bytes[position..<end], as: UTF8.self)
        default: break
        }
        return node
    }

    private func container(_ start: Int, _ head: Int, _ count: Int, isMap: Bool, _ depth: Int) -> Node? {
        var result = Node(range: start..<head, isMap: isMap)
        var position = head
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
package struct MessagePackWriter {
    package var bytes: [UInt8] = []

    package init() {}

    package mutating func map(_ count: Int) { head(count, small: 0x80, limit: 16, large: 0xDE) }
    package mutating func array(_ count: Int) { head(count, small: 0x90, limit: 16, large: 0xDC) }

    package mutating func text(_ text: String) { self.text(bytes: text.utf8) }

    /// A text that need not be UTF-8.
    package mutating func text(bytes text: some Collection<UInt8>) {
        if (32..<256).contains(text.count) {
            bytes += [0xD9, UInt8(text.count)]
        } else {
            head(text.count, small: 0xA0, limit: 32, large: 0xDA)
        }
        bytes += text
    }

    /// Not negative.
    mutating func number(_ number: Int) {
        guard number > Int(Int32.max) else { return head(number, small: 0, limit: 128, large: 0xD1) }
        bytes.append(0xD3)
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

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
