// Takes the head of a message apart, line by line, as its bytes come. What is wrong is found at the line that is wrong.

/// What a head may have at most.
package struct HeadLimits: Hashable, Sendable {
    /// Bytes of the head, and of the trailer.
    package var bytes: Int
    package var fields: Int

    package init(bytes: Int = 1 << 20, fields: Int = 1000) {
        self.bytes = bytes
        self.fields = fields
    }
}

/// The lines of one head. Positions count from the head's first byte; the same bytes are shown again, and more of them,
/// until it is complete.
struct HeadDecoder {
    let limits: HeadLimits
    /// Control characters in values become blanks; else they are malformed.
    private let blanksControls: Bool
    /// The start line without its end; nil: it has not come yet.
    private(set) var startLine: Range<Int>?
    /// Where the first field begins.
    private(set) var fieldsStart = 0
    private(set) var fields: [HeaderFields.Field] = []
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    /// Options of `Connection`.
    private(set) var saysClose = false
    private(set) var saysKeepAlive = false

    private var lineStart = 0
    private var searched = 0

    init(limits: HeadLimits, blanksControls: Bool = false) {
        self.limits = limits
        self.blanksControls = blanksControls
    }

    /// The positions of the next line that is complete, without its end; empty at the end of the head.
    ///
    /// - Returns: Nil: more bytes are needed.
    mutating func nextLine(_ bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) -> Range<Int>? {
        while true {
            guard let newline = HTTPSyntax.newline(in: bytes, from: searched) else {
                searched = bytes.count
                guard bytes.count <= limits.bytes else { throw .headTooLarge }
                return nil
            }
            guard newline < limits.bytes else { throw .headTooLarge }
            guard newline > lineStart, bytes[newline - 1] == 0x0d else { throw .malformed }
            let line = lineStart..<newline - 1
            searched = newline + 1
            lineStart = searched
            // RFC 9112 §2.2: empty lines before a message are not looked at.
            if !line.isEmpty || startLine != nil { return line }
        }
    }

    /// The bytes of the line that is not complete.
    func rest(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[lineStart...])
    }

    mutating func noteStartLine(_ line: Range<Int>) {
        startLine = line
        fieldsStart = lineStart
    }

    /// How many bytes the head has, once its last line was given.
    var length: Int { lineStart }

    /// One field. Framing is read as strictly as can be: what two readers could take for two lengths is malformed.
    mutating func field(
        _ line: Range<Int>, _ bytes: UnsafeRawBufferPointer, isHTTP10: Bool
    ) throws(HTTPSyntaxError) {
        guard fields.count < limits.fields else { throw .headTooLarge }
        let (name, value) = try Self.split(line, bytes, blanksControls: blanksControls)
        if fields.isEmpty { fields.reserveCapacity(8) }
        fields.append(
            HeaderFields.Field(
                nameStart: Int32(name.lowerBound - fieldsStart), nameCount: Int32(name.count),
                valueStart: Int32(value.lowerBound - fieldsStart), valueCount: Int32(value.count)))
        let text = UnsafeRawBufferPointer(rebasing: bytes[value])
        switch name.count {
        case 10 where HTTPSyntax.isSame(UnsafeRawBufferPointer(rebasing: bytes[name]), "connection"):
            readConnection(text)
        case 14 where HTTPSyntax.isSame(UnsafeRawBufferPointer(rebasing: bytes[name]), "content-length"):
            guard contentLength == nil, !isChunked, let length = Self.decimal(text) else { throw .malformed }
            contentLength = length
        case 17 where HTTPSyntax.isSame(UnsafeRawBufferPointer(rebasing: bytes[name]), "transfer-encoding"):
            // Some readers take a tab behind it for a part of the name.
            let hasTab = bytes[value.upperBound..<line.upperBound].contains(9)
            guard HTTPSyntax.isSame(text, "chunked"), !hasTab, !isChunked, !isHTTP10 else {
                throw .unsupportedTransferEncoding
            }
            guard contentLength == nil else { throw .malformed }
            isChunked = true
        default:
            break
        }
    }

    /// All fields, once the head is complete.
    ///
    /// - Parameter bytes: from the first field to the end of the last.
    func headerFields(_ bytes: Slice<UnsafeRawBufferPointer>) -> HeaderFields {
        var text = [UInt8](bytes)
        if blanksControls {
            for index in text.indices where HTTPSyntax.isControl(text[index]) { text[index] = 0x20 }
        }
        return HeaderFields(bytes: text, fields: fields)
    }

    /// Name and value without the blanks around it.
    static func split(
        _ line: Range<Int>, _ bytes: UnsafeRawBufferPointer, blanksControls: Bool = false
    ) throws(HTTPSyntaxError) -> (name: Range<Int>, value: Range<Int>) {
        var colon = line.lowerBound
        while colon < line.upperBound, HTTPSyntax.isToken(bytes[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":") else {
            throw .malformed
        }
        var first = colon + 1
        var end = line.upperBound
        let text = UnsafeRawBufferPointer(rebasing: bytes[first..<end])
        guard blanksControls ? !text.contains(0x0d) : HTTPSyntax.isFieldText(text) else { throw .malformed }
        func isBlank(_ byte: UInt8) -> Bool {
            HTTPSyntax.isBlank(byte) || blanksControls && HTTPSyntax.isControl(byte)
        }
        while first < end, isBlank(bytes[first]) { first += 1 }
        while end > first, isBlank(bytes[end - 1]) { end -= 1 }
        return (line.lowerBound..<colon, first..<end)
    }

    private mutating func readConnection(_ value: UnsafeRawBufferPointer) {
        for option in value.split(separator: UInt8(ascii: ",")) {
            var option = option
            while let byte = option.first, HTTPSyntax.isBlank(byte) { option.removeFirst() }
            while let byte = option.last, HTTPSyntax.isBlank(byte) { option.removeLast() }
            let text = UnsafeRawBufferPointer(rebasing: option)
            if HTTPSyntax.isSame(text, "close") { saysClose = true }
            if HTTPSyntax.isSame(text, "keep-alive") { saysKeepAlive = true }
        }
    }

    private static func decimal(_ text: UnsafeRawBufferPointer) -> Int? {
        guard !text.isEmpty else { return nil }
        var number = 0
        for byte in text {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let (product, overflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = product.addingReportingOverflow(Int(byte) - 0x30)
            guard !overflows, !overflowsToo else { return nil }
            number = sum
        }
        return number
    }
}
