// Which regular expressions Go compiles. A node refuses a whole request for one wrong pattern, so a gateway that does not
// see it would run half of a request that InfluxDB runs nothing of.

/// The syntax of Go's `regexp` package (RE2), checked in one pass without building anything.
///
/// Left to the nodes: names in `\p{...}`, and the sizes of nested repetitions.
package struct RegexSyntax {
    private let pattern: [Unicode.Scalar]
    private var at = 0
    /// Per open group, and at the bottom for the whole: whether something stands there that can be repeated.
    private var repeatable = [false]

    struct Failure: Error {
        var reason: String
    }

    /// What Go has against `pattern`; nil if it compiles.
    package static func complaint(about pattern: String) -> String? {
        var syntax = RegexSyntax(pattern: Array(pattern.unicodeScalars))
        do throws(Failure) {
            try syntax.check()
            return nil
        } catch {
            return "error parsing regexp: " + error.reason
        }
    }

    private init(pattern: [Unicode.Scalar]) { self.pattern = pattern }

    private mutating func check() throws(Failure) {
        var lastRepetition: Int?
        while at < pattern.count {
            var repetition: Int?
            switch pattern[at] {
            case "(": try openGroup()
            case ")":
                guard repeatable.count > 1 else { throw failure("unexpected )", pattern[...]) }
                repeatable.removeLast()
                advance(1)
            case "|":
                at += 1
                repeatable[repeatable.count - 1] = false
            case "[": try checkClass()
            case "*", "+", "?":
                repetition = at
                at += 1
                try checkRepetition(from: repetition ?? at, last: lastRepetition)
            case "{":
                let start = at
                if let (least, most) = count() {
                    repetition = start
                    if least > 1000 || most ?? 0 > 1000 || most.map({ least > $0 }) == true {
                        throw failure("invalid repeat count", pattern[start..<at])
                    }
                    try checkRepetition(from: start, last: lastRepetition)
                } else {
                    advance(1)
                }
            case "\\": try checkBackslash()
            default: advance(1)
            }
            lastRepetition = repetition
        }
        guard repeatable.count == 1 else { throw failure("missing closing )", pattern[...]) }
    }

    private mutating func advance(_ count: Int) {
        at += count
        repeatable[repeatable.count - 1] = true
    }

    private func failure(_ reason: String, _ piece: ArraySlice<Unicode.Scalar>) -> Failure {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: piece)
        return Failure(reason: "\(reason): `\(String(text))`")
    }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        at + distance < pattern.count ? pattern[at + distance] : nil
    }

    // MARK: Repetition

    /// The operator is passed; an operator right behind another is wrong, and so is one with nothing before it.
    private mutating func checkRepetition(from start: Int, last: Int?) throws(Failure) {
        if peek() == "?" { at += 1 }
        if let last { throw failure("invalid nested repetition operator", pattern[last..<at]) }
        guard repeatable[repeatable.count - 1] else {
            throw failure("missing argument to repetition operator", pattern[start..<at])
        }
    }

    /// `{n}`, `{n,}` or `{n,m}`, passed if it is one; anything else is literal.
    private mutating func count() -> (least: Int, most: Int?)? {
        let start = at
        at += 1
        guard let least = number() else {
            at = start
            return nil
        }
        var most: Int? = least
        if peek() == "," {
            at += 1
            if peek() == "}" {
                most = nil
            } else if let number = number() {
                most = number
            } else {
                at = start
                return nil
            }
        }
        guard peek() == "}" else {
            at = start
            return nil
        }
        at += 1
        return (least, most)
    }

    /// Digits without a leading zero; very large numbers are all the same.
    private mutating func number() -> Int? {
        let start = at
        var value = 0
        while let digit = peek(), ("0"..."9").contains(digit) {
            value = min(value * 10 + Int(digit.value - 48), 100_000)
            at += 1
        }
        guard at > start, at == start + 1 || pattern[start] != "0" else { return nil }
        return value
    }

    // MARK: Groups

    private mutating func openGroup() throws(Failure) {
        guard peek(1) == "?" else {
            at += 1
            repeatable[repeatable.count - 1] = true
            repeatable.append(false)
            return
        }
        let start = at
        if peek(2) == "P", peek(3) == "<", peek(4) != nil {
            guard let end = pattern[start...].firstIndex(of: ">") else {
                throw failure("invalid named capture", pattern[start...])
            }
            let name = pattern[(start + 4)..<end]
            guard !name.isEmpty, name.allSatisfy({ Self.isWordCharacter($0) }) else {
                throw failure("invalid named capture", pattern[start...end])
            }
            at = end + 1
            repeatable[repeatable.count - 1] = true
            repeatable.append(false)
            return
        }
        at += 2
        var negative = false
        var sawFlag = false
        while let character = peek() {
            at += 1
            switch character {
            case "i", "m", "s", "U":
                sawFlag = true
                continue
            case "-" where !negative:
                negative = true
                sawFlag = false
                continue
            case ":" where !negative || sawFlag:
                repeatable[repeatable.count - 1] = true
                repeatable.append(false)
                return
            case ")" where !negative || sawFlag:
                return
            default: throw failure("invalid or unsupported Perl syntax", pattern[start..<at])
            }
        }
        throw failure("invalid or unsupported Perl syntax", pattern[start..<at])
    }

    // MARK: Backslashes

    private mutating func checkBackslash() throws(Failure) {
        switch peek(1) {
        case "A", "b", "B", "z", "d", "D", "s", "S", "w", "W": advance(2)
        case "C": throw failure("invalid escape sequence", pattern[at..<(at + 2)])
        case "Q":
            at += 2
            while at < pattern.count {
                if pattern[at] == "\\", peek(1) == "E" {
                    at += 2
                    return
                }
                advance(1)
            }
        case "p", "P": try checkUnicodeClass()
        default:
            try checkEscape()
            advance(0)
        }
    }

    private mutating func checkUnicodeClass() throws(Failure) {
        let start = at
        guard let name = peek(2) else { throw failure("invalid character class range", pattern[start...]) }
        if name == "{" {
            guard let end = pattern[start...].firstIndex(of: "}") else {
                throw failure("invalid character class range", pattern[start...])
            }
            let letters = pattern[(start + 3)..<end].drop { $0 == "^" }
            guard !letters.isEmpty, letters.allSatisfy({ Self.isWordCharacter($0) && !("0"..."9").contains($0) }) else {
                throw failure("invalid character class range", pattern[start...end])
            }
            advance(end + 1 - start)
        } else {
            guard "CLMNPSZ".unicodeScalars.contains(name) else {
                throw failure("invalid character class range", pattern[start..<(start + 3)])
            }
            advance(3)
        }
    }

    /// A backslash and what it escapes, in a class or outside.
    /// - Returns: the character's value where it is plain.
    @discardableResult
    private mutating func checkEscape() throws(Failure) -> UInt32? {
        let start = at
        at += 1
        guard let character = peek() else { throw Failure(reason: "trailing backslash at end of expression: ``") }
        at += 1
        switch character {
        case "1"..."7":
            guard let next = peek(), ("0"..."7").contains(next) else { break }
            return octal(character.value - 48)
        case "0":
            return octal(0)
        case "x":
            if let value = hexadecimal() { return value }
        case "a": return 7
        case "f": return 12
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "v": return 11
        default:
            if character.value < 0x80, !Self.isWordCharacter(character) || character == "_" { return character.value }
        }
        throw failure("invalid escape sequence", pattern[start..<at])
    }

    /// Up to two more octal digits.
    private mutating func octal(_ first: UInt32) -> UInt32 {
        var value = first
        for _ in 0..<2 {
            guard let digit = peek(), ("0"..."7").contains(digit) else { break }
            value = value * 8 + digit.value - 48
            at += 1
        }
        return value
    }

    /// The value behind `\x`; nil, with the wrong character passed, if it is wrong.
    private mutating func hexadecimal() -> UInt32? {
        func digit(_ character: Unicode.Scalar?) -> UInt32? { character.flatMap { UInt32(String($0), radix: 16) } }
        guard let first = peek() else { return nil }
        at += 1
        if first != "{" {
            guard let second = peek() else { return nil }
            at += 1
            guard let high = digit(first), let low = digit(second) else { return nil }
            return high * 16 + low
        }
        var value: UInt32 = 0
        var digits = 0
        while let character = peek() {
            at += 1
            if character == "}" { return digits > 0 ? value : nil }
            guard let next = digit(character) else { return nil }
            value = value * 16 + next
            guard value <= 0x10FFFF else { return nil }
            digits += 1
        }
        return nil
    }

    private static func isWordCharacter(_ character: Unicode.Scalar) -> Bool {
        switch character {
        case "0"..."9", "A"..."Z", "a"..."z", "_": true
        default: false
        }
    }

    // MARK: Classes

    private mutating func checkClass() throws(Failure) {
        let start = at
        at += 1
        if peek() == "^" { at += 1 }
        var isFirst = true
        while isFirst || peek() != "]" {
            isFirst = false
            if peek() == "[", peek(1) == ":", peek(2) != nil, let end = namedClassEnd() {
                let name = String(String.UnicodeScalarView(pattern[at..<end]))
                guard Self.namedClasses.contains(name) else {
                    throw failure("invalid character class range", pattern[at..<end])
                }
                at = end
                continue
            }
            if peek() == "\\", let next = peek(1) {
                if next == "p" || next == "P" {
                    try checkUnicodeClass()
                    continue
                }
                if "dDsSwW".unicodeScalars.contains(next) {
                    at += 2
                    continue
                }
            }
            let lowest = at
            let low = try classCharacter(start)
            if peek() == "-", let next = peek(1), next != "]" {
                at += 1
                let high = try classCharacter(start)
                if let low, let high, high < low {
                    throw failure("invalid character class range", pattern[lowest..<at])
                }
            }
        }
        at += 1
        repeatable[repeatable.count - 1] = true
    }

    private func namedClassEnd() -> Int? {
        var end = at + 2
        while end + 1 < pattern.count {
            if pattern[end] == ":", pattern[end + 1] == "]" { return end + 2 }
            end += 1
        }
        return nil
    }

    /// One character of a class, and its value.
    private mutating func classCharacter(_ start: Int) throws(Failure) -> UInt32? {
        guard let character = peek() else { throw failure("missing closing ]", pattern[start...]) }
        if character == "\\" { return try checkEscape() }
        at += 1
        return character.value
    }

    private static let namedClasses: Set<String> = {
        let names = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "word", "xdigit",
        ]
        return Set(names.flatMap { ["[:\($0):]", "[:^\($0):]"] })
    }()
}
