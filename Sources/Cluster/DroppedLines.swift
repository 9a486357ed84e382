// How many points InfluxDB says it dropped: `partial write: ... dropped=3`.

package enum DroppedLines {
    /// At the least; nil when the words do not say.
    package static func count(in words: String) -> Int? { digits(of: words).flatMap { Int(words[$0]) } }

    /// The same words with another number.
    package static func replaced(in words: String, by count: Int) -> String {
        guard let digits = digits(of: words) else { return words }
        return words[..<digits.lowerBound] + "\(count)" + words[digits.upperBound...]
    }

    /// The number behind the last `dropped=`.
    private static func digits(of words: String) -> Range<String.Index>? {
        let mark = "dropped="
        var text = words
        let range: Range<Int>? = text.withUTF8 { bytes in
            var end: Int?
            while let found = bytes.firstPosition(of: mark, from: end ?? 0) { end = found + mark.utf8.count }
            guard let end else { return nil }
            let digits = bytes[end...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            return digits.startIndex..<digits.endIndex
        }
        return range.map { range in
            let start = words.utf8.index(words.startIndex, offsetBy: range.lowerBound)
            return start..<words.utf8.index(start, offsetBy: range.count)
        }
    }
}
