// Cuts the body of a write into points, as InfluxDB 1.6 does, error for error (reference: http 5.1). Written from that
// page and from measurements, not from the gateway's scanner, so that the two do not share a mistake.

struct Point: Sendable {
    /// Measurement and sorted tags as they were written, which is how the storage knows the series.
    var key: Text
    var measurement: Text
    var time: Int64
    var fields: [(name: Text, value: FieldValue)]
}

struct PointsReader {
    private let body: [UInt8]
    /// Nanoseconds of one unit.
    private let unit: Int64
    private let arrival: Int64

    static let longestKey = 65_535
    static let largestTime = Int64.max - 1

    /// - Parameter precision: as in the URL; what is unknown counts as nanoseconds.
    init(_ body: [UInt8], precision: String, arrival: Int64) {
        self.body = body
        unit =
            switch precision {
            case "u": 1000
            case "ms": 1_000_000
            case "s": 1_000_000_000
            case "m": 60_000_000_000
            case "h": 3_600_000_000_000
            default: 1
            }
        self.arrival = arrival - arrival % unit
    }

    /// The good points, and what is wrong with the bad lines.
    func read() -> (points: [Point], failures: [[UInt8]]) {
        var points: [Point] = []
        var failures: [[UInt8]] = []
        var start = 0
        while start < body.count {
            let end = lineEnd(from: start)
            var first = start
            while first < end, isBlank(body[first]) { first += 1 }
            start = end + 1
            guard first < end, body[first] != Byte.hash else { continue }
            var line = LineReader(bytes: body, start: first, end: end)
            do throws(BadLine) {
                points.append(try line.point(unit: unit, arrival: arrival))
            } catch {
                failures.append(
                    Array("unable to parse '".utf8) + body[first..<end] + Array("': \(error.reason)".utf8))
            }
        }
        return (points, failures)
    }

    /// A newline inside the quotes of a field's value does not end a line.
    private func lineEnd(from start: Int) -> Int {
        var index = start
        var isQuoted = false
        var isInFields = false
        var equals = 0
        var commas = 0
        while index < body.count {
            let byte = body[index]
            if byte == Byte.backslash, index + 2 < body.count {
                index += 2
                continue
            }
            if byte == Byte.space { isInFields = true }
            if isInFields, !isQuoted, byte == Byte.equals {
                equals += 1
            } else if isInFields, !isQuoted, byte == Byte.comma {
                commas += 1
            } else if isInFields, byte == Byte.quote, equals > commas {
                isQuoted.toggle()
            } else if byte == Byte.newline, !isQuoted {
                break
            }
            index += 1
        }
        return min(index, body.count)
    }
}

private func isBlank(_ byte: UInt8) -> Bool { byte == Byte.space || byte == Byte.tab || byte == 0 }

private struct BadLine: Error {
    var reason: String
}

/// One line.
private struct LineReader {
    let bytes: [UInt8]
    let start: Int
    let end: Int
    private var at: Int

    init(bytes: [UInt8], start: Int, end: Int) {
        self.bytes = bytes
        self.start = start
        self.end = end
        at = start
    }

    mutating func point(unit: Int64, arrival: Int64) throws(BadLine) -> Point {
        let (key, nameEnd) = try key()
        if key.bytes.count > PointsReader.longestKey {
            throw BadLine(reason: "max key length exceeded: \(key.bytes.count) > \(PointsReader.longestKey)")
        }
        skipBlanks()
        let fieldsStart = at
        try scanFields()
        let fields = try fields(in: fieldsStart..<at, keyLength: key.bytes.count)
        skipBlanks()
        let time = try time(unit: unit) ?? arrival
        return Point(
            key: key, measurement: Text(bytes[start..<nameEnd]).unescaped(", "), time: time, fields: fields)
    }

    private func has(_ offset: Int = 0) -> Bool { at + offset < end }

    private mutating func skipBlanks() {
        while at < end, isBlank(bytes[at]) { at += 1 }
    }

    // MARK: Measurement and tags

    private mutating func key() throws(BadLine) -> (key: Text, nameEnd: Int) {
        if bytes[at] == Byte.comma { throw BadLine(reason: "missing measurement") }
        repeat {
            at += 1
            if at >= end { throw BadLine(reason: "missing fields") }
        } while bytes[at - 1] == Byte.backslash || (bytes[at] != Byte.comma && bytes[at] != Byte.space)
        let nameEnd = at
        var tags: [(key: Range<Int>, end: Int)] = []
        while bytes[at] == Byte.comma {
            at += 1
            tags.append(try tag())
        }
        let order = tags.sorted { bytes[$0.key].lexicographicallyPrecedes(bytes[$1.key]) }
        for (left, right) in zip(order, order.dropFirst()) where bytes[left.key] == bytes[right.key] {
            throw BadLine(reason: "duplicate tags")
        }
        if zip(order, tags).allSatisfy({ $0.end == $1.end }) { return (Text(bytes[start..<at]), nameEnd) }
        var key = Array(bytes[start..<nameEnd])
        for tag in order { key += [Byte.comma] + bytes[tag.key.lowerBound..<tag.end] }
        return (Text(key), nameEnd)
    }

    private mutating func tag() throws(BadLine) -> (key: Range<Int>, end: Int) {
        let keyStart = at
        if !has() || [Byte.space, Byte.comma, Byte.equals].contains(bytes[at]) {
            throw BadLine(reason: "missing tag key")
        }
        repeat {
            at += 1
            if !has() { throw BadLine(reason: "missing tag value") }
            if bytes[at - 1] != Byte.backslash, bytes[at] == Byte.space || bytes[at] == Byte.comma {
                throw BadLine(reason: "missing tag value")
            }
        } while bytes[at] != Byte.equals || bytes[at - 1] == Byte.backslash
        let keyEnd = at
        at += 1
        if !has() || bytes[at] == Byte.comma || bytes[at] == Byte.space { throw BadLine(reason: "missing tag value") }
        while true {
            at += 1
            if !has() { throw BadLine(reason: "missing fields") }
            if bytes[at - 1] == Byte.backslash { continue }
            if bytes[at] == Byte.equals { throw BadLine(reason: "invalid tag format") }
            if bytes[at] == Byte.comma || bytes[at] == Byte.space { return (keyStart..<keyEnd, at) }
        }
    }

    // MARK: Fields

    private mutating func scanFields() throws(BadLine) {
        var isQuoted = false
        var equals = 0
        var commas = 0
        let first = at
        scan: while has() {
            let byte = bytes[at]
            if byte == Byte.backslash, has(1) {
                at += 2
                continue
            }
            if byte == Byte.quote, equals > commas {
                isQuoted.toggle()
            } else if !isQuoted {
                switch byte {
                case Byte.equals:
                    equals += 1
                    let previous = bytes[at - 1]
                    if previous == Byte.space || previous == Byte.comma, bytes[at - 2] != Byte.backslash {
                        throw BadLine(reason: "missing field key")
                    }
                    if !has(1) || bytes[at + 1] == Byte.comma || bytes[at + 1] == Byte.space {
                        throw BadLine(reason: "missing field value")
                    }
                    if bytes[at + 1] != Byte.quote {
                        at += 1
                        try scanValue()
                        continue scan
                    }
                case Byte.comma: commas += 1
                case Byte.space: break scan
                default: break
                }
            }
            at += 1
        }
        if isQuoted { throw BadLine(reason: "unbalanced quotes") }
        if at == first { throw BadLine(reason: equals == 0 ? "invalid field format" : "missing fields") }
        if equals == 0 || commas != equals - 1 { throw BadLine(reason: "invalid field format") }
    }

    /// A number or a boolean.
    private mutating func scanValue() throws(BadLine) {
        let first = bytes[at]
        let isNumber =
            Byte.isDigit(first) || first == Byte.dot || first == Byte.minus || first == UInt8(ascii: "N")
            || first == UInt8(ascii: "n")
        let valueStart = at
        if isNumber { return try scanNumber() }
        while has(), bytes[at] != Byte.comma, bytes[at] != Byte.space { at += 1 }
        if Self.boolean(bytes[valueStart..<at]) == nil { throw BadLine(reason: "invalid boolean") }
    }

    private mutating func scanNumber() throws(BadLine) {
        let invalid = BadLine(reason: "invalid number")
        let first = at
        var isInteger = false
        var hasPoint = false
        var hasExponent = false
        if bytes[at] == Byte.minus {
            at += 1
            if !has() { throw invalid }
        }
        while has(), bytes[at] != Byte.comma, bytes[at] != Byte.space {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "i") where at > first && !isInteger: isInteger = true
            // Unsigned numbers are not built into this version.
            case UInt8(ascii: "u") where at > first && !isInteger: throw invalid
            case Byte.dot:
                if hasPoint { throw invalid }
                hasPoint = true
            case UInt8(ascii: "e") where at > first, UInt8(ascii: "E") where at > first: hasExponent = true
            case Byte.plus, Byte.minus:
                if bytes[at - 1] | 0x20 != UInt8(ascii: "e") { throw invalid }
            default:
                if !Byte.isDigit(byte) { throw invalid }
            }
            at += 1
        }
        if isInteger, hasPoint || hasExponent { throw invalid }
        let digits = at - first - (isInteger ? 1 : 0) - (hasPoint ? 1 : 0) - (bytes[first] == Byte.minus ? 1 : 0)
        if digits == 0 { throw invalid }
        if isInteger {
            if bytes[at - 1] != UInt8(ascii: "i") { throw invalid }
            let text = String(decoding: bytes[first..<at - 1], as: UTF8.self)
            if Int64(text) == nil {
                throw BadLine(
                    reason: "unable to parse integer \(text): strconv.ParseInt: parsing \"\(text)\": value out of range"
                )
            }
        } else if hasExponent || at - first >= 309 {
            let value = Double(String(decoding: bytes[first..<at], as: UTF8.self))
            if value?.isFinite != true { throw BadLine(reason: "invalid float") }
        }
    }

    /// The second look, by the rules of the storage: a key ends at the first `=` without a backslash before it.
    private func fields(
        in range: Range<Int>, keyLength: Int
    ) throws(BadLine) -> [(name: Text, value: FieldValue)] {
        var fields: [(name: Text, value: FieldValue)] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let keyStart = index
            while index < range.upperBound,
                bytes[index] != Byte.equals || (index > keyStart && bytes[index - 1] == Byte.backslash)
            {
                index += 1
            }
            let key = Text(bytes[keyStart..<index])
            let invalid = BadLine(reason: "invalid value: field-key=\(key)")
            if index > range.upperBound - 2 { throw invalid }
            let length = keyLength + 4 + key.bytes.count
            if length > PointsReader.longestKey {
                throw BadLine(reason: "max key length exceeded: \(length) > \(PointsReader.longestKey)")
            }
            index += 1
            let valueStart = index
            var isQuoted = false
            while index < range.upperBound {
                let byte = bytes[index]
                if byte == Byte.backslash, index + 1 < range.upperBound,
                    bytes[index + 1] == Byte.quote || bytes[index + 1] == Byte.backslash
                {
                    index += 1
                } else if byte == Byte.quote {
                    isQuoted.toggle()
                } else if byte == Byte.comma, !isQuoted {
                    break
                }
                index += 1
            }
            guard let value = Self.value(bytes[valueStart..<index]) else { throw invalid }
            fields.append((key.unescaped(", =\""), value))
            index += 1
        }
        return fields
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> FieldValue? {
        guard let first = bytes.first, let last = bytes.last else { return nil }
        if first == Byte.quote {
            return bytes.count < 2 ? nil : .string(Text(bytes.dropFirst().dropLast()).unescaped("\"\\"))
        }
        if let boolean = boolean(bytes) { return .boolean(boolean) }
        if last == UInt8(ascii: "i") {
            return Int64(String(decoding: bytes.dropLast(), as: UTF8.self)).map { .integer($0) }
        }
        return Double(String(decoding: bytes, as: UTF8.self)).map { .float($0) }
    }

    private static func boolean(_ bytes: ArraySlice<UInt8>) -> Bool? {
        switch String(decoding: bytes, as: UTF8.self) {
        case "t", "T", "true", "True", "TRUE": true
        case "f", "F", "false", "False", "FALSE": false
        default: nil
        }
    }

    // MARK: Time

    private mutating func time(unit: Int64) throws(BadLine) -> Int64? {
        let first = at
        while has(), bytes[at] != Byte.newline, bytes[at] != Byte.space {
            guard Byte.isDigit(bytes[at]) || (at == first && bytes[at] == Byte.minus) else {
                throw BadLine(reason: "bad timestamp")
            }
            at += 1
        }
        if at == first { return nil }
        let text = String(decoding: bytes[first..<at], as: UTF8.self)
        guard let count = Int64(text) else {
            throw BadLine(
                reason: "strconv.ParseInt: parsing \"\(text)\": "
                    + (text == "-" ? "invalid syntax" : "value out of range"))
        }
        let (time, overflow) = count.multipliedReportingOverflow(by: unit)
        if overflow || time > PointsReader.largestTime || time < -PointsReader.largestTime {
            throw BadLine(
                reason: "time outside range -\(PointsReader.largestTime) - \(PointsReader.largestTime)")
        }
        if bytes[at..<end].contains(where: { $0 != Byte.space }) { throw BadLine(reason: "point is invalid") }
        return time
    }
}

extension Text {
    /// Without the backslashes before these characters.
    func unescaped(_ characters: String) -> Text {
        guard bytes.contains(Byte.backslash) else { return self }
        let special = Array(characters.utf8)
        var plain: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == Byte.backslash, index + 1 < bytes.count, special.contains(bytes[index + 1]) {
                index += 1
            }
            plain.append(bytes[index])
            index += 1
        }
        return Text(plain)
    }

    /// The tags in a series' key.
    var tagsOfKey: [Tag] {
        var parts: [ArraySlice<UInt8>] = []
        var start = 0
        for index in bytes.indices where bytes[index] == Byte.comma && bytes[max(0, index - 1)] != Byte.backslash {
            parts.append(bytes[start..<index])
            start = index + 1
        }
        parts.append(bytes[start...])
        return parts.dropFirst().compactMap { part in
            let equals = part.indices.first { part[$0] == Byte.equals && part[$0 - 1] != Byte.backslash }
            guard let equals else { return nil }
            return Tag(
                key: Text(part[..<equals]).unescaped(",= "), value: Text(part[(equals + 1)...]).unescaped(",= "))
        }
    }
}
