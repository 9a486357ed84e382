// Takes a payload apart again: its lines, and whose points they are.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The points of a payload, line by line, by the same quoting rules as the scanner; comments and blank lines are
/// skipped. Yields the range of each line in the payload, without its newline, and without leading blanks but where it
/// would be another line without them.
package struct PayloadLines: Sequence, IteratorProtocol {
    private let payload: UnsafeRawBufferPointer
    private var position = 0

    /// - Parameter payload: Valid while the lines are iterated.
    package init(_ payload: UnsafeRawBufferPointer) {
        self.payload = payload
    }

    package mutating func next() -> Range<Int>? {
        guard let base = payload.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        while position < payload.count {
            let block = position..<PayloadLines.lineEnd(base, from: position, count: payload.count)
            position = block.upperBound + 1
            var start = block.lowerBound
            while start < block.upperBound, Byte.isBlank(base[start]) { start += 1 }
            guard start < block.upperBound, base[start] != Byte.hash else { continue }
            // A blank in front can be what makes a newline in the measurement or a tag data.
            if start > block.lowerBound, !LineSplitter.isSelfContained(base, start..<block.upperBound) { return block }
            return start..<block.upperBound
        }
        return nil
    }

    private static func lineEnd(_ bytes: UnsafePointer<UInt8>, from start: Int, count: Int) -> Int {
        let rest = count - start
        if let found = memchr(bytes + start, Int32(Byte.newline), rest) {
            let length = UnsafeRawPointer(found) - UnsafeRawPointer(bytes + start)
            // Without quotes and escapes the first newline ends the line.
            if memchr(bytes + start, Int32(Byte.quote), length) == nil,
                memchr(bytes + start, Int32(Byte.backslash), length) == nil
            {
                return start + length
            }
        }
        var splitter = LineSplitter(at: start)
        _ = splitter.advance(bytes, count: count, followedBy: .nothing)
        return Swift.min(splitter.index, count)
    }
}

/// The measurement that a point belongs to.
package enum MeasurementName {
    /// The measurement in a line, escapes and all, as a range of `line`.
    ///
    /// - Parameter line: A good line, as `PayloadLines` yields it.
    package static func range(inLine line: UnsafeRawBufferPointer) -> Range<Int> {
        var i = 0
        while i < line.count, Byte.isBlank(line[i]) { i += 1 }
        let start = i
        while i < line.count {
            if i > start, line[i] == Byte.comma || line[i] == Byte.space, line[i - 1] != Byte.backslash { break }
            i += 1
        }
        return start..<i
    }

    /// The name as queries know it: a backslash before a comma, a space, an equals sign or a quote is dropped, all
    /// others stay (`SHOW MEASUREMENTS` of 1.6.7; pkg/escape of InfluxDB).
    package static func unescape(_ name: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(name.count)
        var i = name.startIndex
        while i != name.endIndex {
            let next = name.index(after: i)
            if name[i] == Byte.backslash, next != name.endIndex {
                switch name[next] {
                case Byte.comma, Byte.space, Byte.equals, Byte.quote:
                    result.append(name[next])
                    i = name.index(after: next)
                    continue
                default:
                    break
                }
            }
            result.append(name[i])
            i = next
        }
        return result
    }
}
