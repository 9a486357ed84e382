// Writes line protocol as clients do, and as nobody should: the input of the differential test.

/// A source of random numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Generates lines, without their newline; some hold newlines.
struct LineProtocolGenerator {
    private var random: SeededGenerator
    private let withTimestamps: Bool
    private var nextTime: Int64 = 1_000_000

    /// - Parameter withTimestamps: Whether valid lines always have a timestamp, different in each line. Mutated ones
    ///   may lose it.
    init(seed: UInt64, withTimestamps: Bool) {
        random = SeededGenerator(seed: seed)
        self.withTimestamps = withTimestamps
    }

    mutating func line() -> [UInt8] {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: return valid()
        case 30..<75: return mutated(valid())
        case 75..<87: return soup()
        case 87..<95: return oneOddValue()
        case 95..<97: return manyTags()
        default: return chance(10) ? longKey() : noise()
        }
    }

    // MARK: - Good lines

    private mutating func valid() -> [UInt8] {
        var line = pick(Self.measurements)
        let tags = Self.tagKeys.shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random))
        for key in chance(70) ? tags.sorted() : Array(tags) {
            line += ",\(key)=\(pick(Self.tagValues))"
        }
        line += chance(95) ? " " : "   "
        let fields = (0..<Int.random(in: 1...4, using: &random)).map { _ in field() }
        line += fields.joined(separator: ",")
        if withTimestamps || chance(50) {
            line += chance(95) ? " " : "  "
            line += "\(time())"
        }
        if chance(5) { line += "  " }
        if chance(3) { line = " " + line }
        return Array(line.utf8)
    }

    /// The type is part of a field's name, so that valid lines never conflict.
    private mutating func field() -> String {
        let suffix = pick(["", "1", "2", "\\ x", "\\,x", "\\=x", "\\\"x", "\"", "\\x"])
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return "f\(suffix)=\(pick(Self.floats))"
        case 1: return "i\(suffix)=\(Int64.random(in: .min ... .max, using: &random))i"
        case 2: return "b\(suffix)=\(pick(Self.booleans))"
        default: return "s\(suffix)=\"\(pick(Self.strings))\""
        }
    }

    private mutating func time() -> Int64 {
        nextTime += 1
        return nextTime
    }

    // MARK: - Bad lines, or nearly so

    private mutating func mutated(_ line: [UInt8]) -> [UInt8] {
        var line = line
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let at = Int.random(in: 0...line.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0 where at < line.count: line.remove(at: at)
            case 1 where at < line.count: line[at] = pick(Self.specials)
            case 2: line.removeSubrange(at...)
            case 3:
                let end = min(line.count, at + Int.random(in: 1...6, using: &random))
                line.insert(contentsOf: line[at..<end], at: at)
            case 4 where at < line.count:
                line.swapAt(at, Int.random(in: 0..<line.count, using: &random))
            default: line.insert(pick(Self.specials), at: at)
            }
        }
        return line
    }

    private mutating func soup() -> [UInt8] {
        var line: [UInt8] = chance(60) ? Array("m".utf8) : []
        if chance(30) { line += Array(",t=v".utf8) }
        if chance(50) { line += Array(" ".utf8) }
        for _ in 0..<Int.random(in: 1...14, using: &random) { line += Array(pick(Self.tokens).utf8) }
        if chance(40) { line += Array(" \(time())".utf8) }
        return line
    }

    private mutating func oneOddValue() -> [UInt8] {
        if chance(50) {
            let value = pick(Self.oddValues)
            return Array("odd o\(value.count)=\(value) \(time())".utf8)
        }
        return Array("odd f=1 \(pick(Self.oddTimes))".utf8)
    }

    private mutating func manyTags() -> [UInt8] {
        // Never 100, 200 or 400: InfluxDB 1.6 and 1.7 answer 500 to those.
        let keys = (0..<pick([90, 98, 101, 130, 250])).map { "k\($0)" }
        let tags = (chance(50) ? keys.sorted() : keys.shuffled(using: &random)).map { "\($0)=v" }
        let doubled = chance(30) ? ",k7=w" : ""
        return Array("many,\(tags.joined(separator: ","))\(doubled) f=1 \(time())".utf8)
    }

    private mutating func longKey() -> [UInt8] {
        // Measurement, field and separator of 4 at the limit of 65535, or one beyond.
        let field = String(repeating: "f", count: pick([1, 10, 300]))
        let name = String(repeating: "n", count: 65_535 - 4 - field.count + pick([-1, 0, 1, 5]))
        return Array("\(name) \(field)=1 \(time())".utf8)
    }

    private mutating func noise() -> [UInt8] {
        (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }
}

// MARK: - Material

extension LineProtocolGenerator {
    private static let measurements = [
        "cpu", "disk", "m\\,n", "m\\ n", "m=n", "m\"n\"", "m\\n", "m\\\\n", "q\\=n", "ünï", "Gerät\\ 1", "m#",
    ]
    private static let tagKeys = ["host", "region", "a\\ b", "a\\,b", "a\\=b", "a\"b", "a\\b", "z", "é"]
    private static let tagValues = [
        "a", "server01", "x\\ y", "x\\,y", "x\\=y", "\"q\"", "b\\c", "back\\\\slash", "1", "t", "日本",
    ]
    private static let floats = [
        "0", "1", "-1", "1.5", "-0", ".5", "5.", "-.5", "1e5", "1E5", "1e+5", "1e-5", "-1.25e-300", "0.1", "123456789",
        "3.141592653589793238462643383279", "00012", "1e308", "179769313486231570000", "4.9e-324", "1e-400",
    ]
    private static let booleans = ["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"]
    private static let strings = [
        "", "a", "hello world", "a,b", "a=b", "say \\\"hi\\\"", "back\\\\slash", "tab\tand", "line\nbreak", "\\n",
        "a\\,b",
        "😀", "x=1,y=2", "#", "\\\\", "\\\"", "a\\\nb",
    ]
    private static let specials =
        Array(", =\"\\\n\r\t\0#'-+.019eEiutfnN[]{}".utf8) + [0xFF, 0xC3, 0x80, 0xE2, 0x22, 0x5C, 0x20, 0x2C, 0x3D]
    private static let tokens = [
        ",", "=", " ", "\"", "\\", "\\\\", "\\\"", "\\ ", "\\,", "\\=", "f", "s", "1", "1i", "t", "\"a\"", "f=1", "b=t",
        "\t", "\r", "\n", "\0", "#", "-", ".", "e", "i", ",f=2", "m", "=\"", "\",",
    ]
    private static let oddValues = [
        "9223372036854775807i", "9223372036854775808i", "-9223372036854775808i", "-9223372036854775809i", "0i", "-0i",
        "00000000000000000000000001i", "1u", "18446744073709551615u", "1ii", "i", "-i", "1.0i", "1e3i", "1i1", "--1",
        "-", "+1",
        "1+1", "1-1", "1e", "1e+", "1e5e5", "1ee5", "1e5.", "1.1.1", ".", "-.", "..", "nan", "NaN", "n", "N", "-nan",
        "inf",
        "-inf", "Inf", "0x10", "1_000", "1e400", "-1e400", "1e309", "1.7976931348623157e308", "1.7976931348623158e308",
        "1.7976931348623159e308", "0e999999999999", "1e-999999999999", "1e999999999999999999999", "1.e308", "1.8e308",
        "17.9e307",
        "0.00000000000000000000000000000000000000000001e350", "tr", "trueish", "tRUE", "TRue", "falsey", "fALSE", "yes",
        "x", "'a'",
        "a\"", "\"a\"b", "\"a\"\"b\"", "\"a\" \"b\"", "\"", "\"\"", "\"\\\"", "\"\\\\\"", "\"a\"\r", "\"a\"\t",
        "\"a\"\\", "1\t", "1\r",
        "t\r", "t\0", String(repeating: "1", count: 24), String(repeating: "1", count: 25),
        String(repeating: "9", count: 308),
        String(repeating: "9", count: 309), String(repeating: "9", count: 310),
        "0." + String(repeating: "0", count: 400) + "1",
        "1," + "p=2", "1,", "1,,p=2", ",", "1,=2", "1,p", "1 ", "1  ",
    ]
    private static let oddTimes = [
        "0", "-0", "-1", "1", "00000000000000000000001", "9223372036854775805", "9223372036854775806",
        "9223372036854775807",
        "9223372036854775808", "-9223372036854775805", "-9223372036854775806", "-9223372036854775807",
        "-9223372036854775808", "-9223372036854775809", "99999999999999999999", "9223372036854775", "9223372036854776",
        "-9223372036854775", "-9223372036854776", "9223372036854", "9223372036855", "-9223372036854", "-9223372036855",
        "9223372036", "9223372037", "-9223372036", "-9223372037", "153722867", "153722868", "-153722867", "-153722868",
        "2562047", "2562048", "-2562047", "-2562048", "-", "--1", "1-", "+1", "1.0", "1e3", "1i", "a", "1 2", "1 a",
        "1 #", "1\t",
        "1\r", "1\0", "\t1", "\t 1", "\0" + "1", "1 ", "1  ", "1 \t", "\"1\"", "0x1", "#", "# 1", "1,2", "=1", "\\1",
    ]
}
