// Turns a write request's body into points to replicate, in one pass, as the body arrives.

/// Scans line protocol incrementally.
///
///     var scanner = LineScanner(precision: .seconds, arrivalTime: 1_700_000_000)
///     while case .yielded = scanner.scan(body, isFinal: true) { /* let others run */ }
///     scanner.result.lines
///
/// Each call gets the whole body received so far; it may have moved in memory in between. Good lines cost no
/// allocation; lines without timestamp and bad lines cost an entry in `result.edits`.
///
/// What the payload changes, besides the cutting of bad lines and the stamping (both so that nodes store what one
/// InfluxDB would have stored of the body):
/// - A last line that is a comment and never ends (an open quote), or is not safe to be followed by others: cut.
/// - A line whose leading blanks make InfluxDB's line splitter see a quote in its measurement or tags: they are cut.
/// - What stands behind a newline inside such a line, where InfluxDB ignores it: cut.
/// - A string field with a backslash behind its closing quote as the last byte of the line (`v="a"\`): InfluxDB
///   takes that byte for the closing quote and drops it, so it becomes another byte, one that cannot escape anything.
package struct LineScanner: Sendable {
    package enum Progress: Equatable, Sendable {
        /// All complete lines are scanned; call again with more bytes, or with `isFinal`.
        case needsMoreBytes
        /// The budget is used up; call again with the same bytes or more.
        case yielded
        /// The whole body is scanned; `result` is complete.
        case finished
    }

    /// Bytes to scan before an event loop should look after others.
    package static let defaultBudget = 256 * 1024
    /// Bytes of errors that are kept.
    package static let defaultMaximumErrorBytes = 1024 * 1024
    /// What an error takes besides the text of its line, roughly, in the message as in memory. Bytes.
    private static let errorOverhead = 64

    package private(set) var result: ScanResult

    private let precision: Precision
    private let simpleLines: SimpleLines
    private var remainingErrorBytes: Int
    /// The first byte of the first line that is not scanned yet.
    private var position = 0
    /// Where the search for the end of the line at `position` has come to.
    private var splitter: LineSplitter?
    private var isFinished = false

    /// - Parameters:
    ///   - precision: The unit of the timestamps in the body.
    ///   - arrivalTime: The time for points that have none, in units of `precision`; see `Precision.truncate`.
    ///   - maximumErrorBytes: How many bytes `result.errors` may hold, roughly.
    package init(
        precision: Precision, arrivalTime: Int64, maximumErrorBytes: Int = LineScanner.defaultMaximumErrorBytes
    ) {
        self.precision = precision
        simpleLines = SimpleLines(precision: precision)
        remainingErrorBytes = maximumErrorBytes
        result = ScanResult(arrivalTime: arrivalTime)
    }

    /// Scans on.
    ///
    /// - Parameters:
    ///   - bytes: The whole body received so far.
    ///   - isFinal: There will be no more.
    ///   - budget: How many bytes to scan at most, roughly; a single line counts as looked at once.
    package mutating func scan(
        _ bytes: UnsafeRawBufferPointer, isFinal: Bool, budget: Int = LineScanner.defaultBudget
    ) -> Progress {
        precondition(budget > 0)
        if isFinished { return .finished }
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), position < bytes.count else {
            precondition(position <= bytes.count, "the body has become shorter")
            return isFinal ? finish(bodyLength: bytes.count) : .needsMoreBytes
        }
        let count = bytes.count
        let begin = splitter?.index ?? position
        let limit = budget < count - begin ? begin + budget : count
        let lastNewline = LineScanner.lastNewline(base, begin..<limit)
        while true {
            if splitter == nil, let lastNewline, position <= lastNewline {
                position = simpleLines.scan(base, from: position, through: lastNewline, into: &result)
            }
            if position >= count { return isFinal ? finish(bodyLength: count) : .needsMoreBytes }
            if position >= limit { return .yielded }
            var line = splitter ?? LineSplitter(at: position)
            switch line.advance(
                base, count: count, followedBy: isFinal ? .nothing : .unknown, limit: max(limit, position + 1))
            {
            case .lineEnd:
                splitter = nil
                take(base, position..<min(line.index, count), bodyLength: count)
                position = line.index + 1
            case .needsMoreBytes:
                splitter = line
                return .needsMoreBytes
            case .paused:
                splitter = line
                return .yielded
            }
        }
    }

    private mutating func finish(bodyLength: Int) -> Progress {
        isFinished = true
        result.finish(bodyLength: bodyLength)
        return .finished
    }

    private static func lastNewline(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int? {
        var i = range.upperBound
        while i > range.lowerBound {
            i -= 1
            if bytes[i] == Byte.newline { return i }
        }
        return nil
    }

    /// Takes a line of any kind. `block` is the line without the newline that ends it.
    private mutating func take(_ bytes: UnsafePointer<UInt8>, _ block: Range<Int>, bodyLength: Int) {
        let hasNewline = block.upperBound < bodyLength
        let whole = block.lowerBound..<(block.upperBound + (hasNewline ? 1 : 0))
        var start = block.lowerBound
        while start < block.upperBound, Byte.isBlank(bytes[start]) { start += 1 }
        if start == block.upperBound || bytes[start] == Byte.hash {
            keep(bytes, block, hasNewline: hasNewline)
            return
        }
        // A newline at the end of the block is one that was hidden from the splitter; InfluxDB strips it (one).
        let end = bytes[block.upperBound - 1] == Byte.newline ? block.upperBound - 1 : block.upperBound
        do throws(LineErrorReason) {
            let point = try LineGrammar(bytes + start, count: end - start, precision: precision).parse()
            try takePoint(bytes, block: block, content: start..<end, point, hasNewline: hasNewline)
        } catch {
            result.append(.nothing, removing: whole.count, at: whole.lowerBound)
            report(bytes, start..<end, error)
        }
    }

    private mutating func takePoint(
        _ bytes: UnsafePointer<UInt8>, block: Range<Int>, content: Range<Int>, _ point: LineGrammar.Point,
        hasNewline: Bool
    ) throws(LineErrorReason) {
        let end = content.lowerBound + point.end
        var start = block.lowerBound
        var needsFiller = false
        if !LineSplitter.isSelfContained(bytes, start..<end) {
            start = content.lowerBound
            if !LineSplitter.isSelfContained(bytes, start..<end) {
                // The last backslash gives way to a byte that hides nothing.
                needsFiller = true
                guard point.endsWithString, point.fields.upperBound == point.end, bytes[end - 1] == Byte.backslash,
                    LineSplitter.isSelfContained(bytes, start..<(end - 1))
                else { throw .endsOnlyWithBody }
            }
        }
        if start > block.lowerBound {
            result.append(.nothing, removing: start - block.lowerBound, at: block.lowerBound)
        }
        if needsFiller { result.append(.filler, removing: 1, at: end - 1) }
        if !point.hasTimestamp { result.append(.stamp, at: end) }
        if end < block.upperBound { result.append(.nothing, removing: block.upperBound - end, at: end) }
        result.lines += 1
        if !hasNewline { result.lacksFinalNewline = true }
    }

    /// Keeps a comment or a blank line if it can stand anywhere, else cuts it.
    private mutating func keep(_ bytes: UnsafePointer<UInt8>, _ block: Range<Int>, hasNewline: Bool) {
        if LineSplitter.isSelfContained(bytes, block) {
            if !hasNewline { result.lacksFinalNewline = true }
        } else {
            result.append(.nothing, removing: block.count + (hasNewline ? 1 : 0), at: block.lowerBound)
        }
    }

    private mutating func report(_ bytes: UnsafePointer<UInt8>, _ line: Range<Int>, _ reason: LineErrorReason) {
        result.badLines += 1
        guard remainingErrorBytes > 0 else { return }
        let echoed = min(line.count, remainingErrorBytes)
        remainingErrorBytes -= echoed + LineScanner.errorOverhead
        let text = Array(UnsafeBufferPointer(start: bytes + line.lowerBound, count: echoed))
        result.errors.append(
            LineError(range: line, line: text, isTruncated: echoed < line.count, reason: reason))
    }
}
