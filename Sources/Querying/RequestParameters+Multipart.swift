// multipart/form-data and the header values it needs, read as Go's mime and mime/multipart packages read them.

/// `type/subtype; name=value; ...`, or a Content-Disposition (`form-data; name=value`).
struct MediaType: Equatable, Sendable {
    /// In lower case.
    let name: String
    /// False: what follows some parameter could not be read. Go then still uses the type, but no parameter.
    private(set) var isComplete = true
    private var parameters: [String: String] = [:]

    /// nil: no type at all, or one parameter with two values.
    init?(_ header: String) {
        var rest = Array(header.utf8)[...]
        let semicolon = rest.firstIndex(of: UInt8(ascii: ";")) ?? rest.endIndex
        let base = WhiteSpace.trimmed(Array(rest[..<semicolon]))
        let parts = base.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.isTokenByte) }) else { return nil }
        name = String(decoding: base, as: UTF8.self).lowercased()
        rest = rest[semicolon...]
        while true {
            rest = Self.withoutSpace(rest)
            if rest.isEmpty { return }
            guard let (key, value, behind) = Self.parameter(rest) else {
                if !WhiteSpace.trimmed(Array(rest)).elementsEqual([UInt8(ascii: ";")]) { isComplete = false }
                return
            }
            if let other = parameters[key], other != value { return nil }
            parameters[key] = value
            rest = behind
        }
    }

    subscript(_ key: String) -> String? { parameters[key] }

    private static func parameter(_ text: ArraySlice<UInt8>) -> (String, String, ArraySlice<UInt8>)? {
        guard text.first == UInt8(ascii: ";") else { return nil }
        var rest = withoutSpace(text.dropFirst())
        let key = rest.prefix(while: isTokenByte)
        guard !key.isEmpty else { return nil }
        rest = withoutSpace(rest.dropFirst(key.count))
        guard rest.first == UInt8(ascii: "=") else { return nil }
        rest = withoutSpace(rest.dropFirst())
        let name = String(decoding: key, as: UTF8.self).lowercased()
        if rest.first != UInt8(ascii: "\"") {
            let value = rest.prefix(while: isTokenByte)
            guard !value.isEmpty else { return nil }
            return (name, String(decoding: value, as: UTF8.self), rest.dropFirst(value.count))
        }
        var value: [UInt8] = []
        var at = rest.startIndex + 1
        while at < rest.endIndex {
            switch rest[at] {
            case UInt8(ascii: "\""):
                return (name, String(decoding: value, as: UTF8.self), rest[(at + 1)...])
            case UInt8(ascii: "\\") where at + 1 < rest.endIndex && specials.contains(rest[at + 1]):
                value.append(rest[at + 1])
                at += 2
            case 0x0D, 0x0A:
                return nil
            default:
                value.append(rest[at])
                at += 1
            }
        }
        return nil
    }

    private static let specials = Set("()<>@,;:\\\"/[]?=".utf8)

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && !specials.contains(byte)
    }

    private static func withoutSpace(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        text.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }
}

enum MultipartForm {
    struct Part: Equatable {
        var name: [UInt8]
        var isFile: Bool
        var content: [UInt8]
    }

    /// The parts that have a name; nil if the body is cut off or holds a part that cannot be read: then nothing counts.
    static func parts(of body: [UInt8], boundary: String) -> [Part]? {
        parts(of: body, boundary: Array(boundary.utf8))
    }

    static func parts(of body: [UInt8], boundary: [UInt8]) -> [Part]? {
        let delimiter = Array("--".utf8) + boundary
        guard !boundary.isEmpty, let first = firstDelimiter(in: body, delimiter) else { return nil }
        let newline = first.newline
        var at = first.next
        var parts: [Part] = []
        while at < body.count {
            guard let (headers, contentStart) = headers(of: body, at: at) else { return nil }
            guard let end = nextDelimiter(in: body, from: contentStart, newline: newline, delimiter) else { return nil }
            guard let part = part(headers, body[contentStart..<end.content]) else { return nil }
            if !part.name.isEmpty { parts.append(part) }
            guard !end.isLast else { return parts }
            at = end.next
        }
        // Go takes an end right behind a delimiter line for the end of the form.
        return parts
    }

    /// Skips the preamble. The newline of the first delimiter line is that of the whole form.
    private static func firstDelimiter(in body: [UInt8], _ delimiter: [UInt8]) -> (next: Int, newline: [UInt8])? {
        var at = 0
        while at < body.count {
            let lineEnd = body[at...].firstIndex(of: 0x0A) ?? body.count
            if body[at...].starts(with: delimiter) {
                var rest = body[(at + delimiter.count)..<lineEnd].drop { $0 == 0x20 || $0 == 0x09 }
                let carriageReturn = rest.last == 0x0D
                if carriageReturn { rest = rest.dropLast() }
                if rest.isEmpty, lineEnd < body.count { return (lineEnd + 1, carriageReturn ? [0x0D, 0x0A] : [0x0A]) }
                if rest.elementsEqual([0x2D, 0x2D]) { return (body.count, [0x0D, 0x0A]) }
            }
            at = lineEnd + 1
        }
        return nil
    }

    private static func nextDelimiter(
        in body: [UInt8], from start: Int, newline: [UInt8], _ delimiter: [UInt8]
    ) -> (content: Int, next: Int, isLast: Bool)? {
        var line = start
        while line <= body.count {
            if body[line...].starts(with: delimiter) {
                let behind = line + delimiter.count
                let content = line == start ? start : line - newline.count
                if body[behind...].starts(with: [0x2D, 0x2D]) { return (content, body.count, true) }
                let rest = body[behind...].drop { $0 == 0x20 || $0 == 0x09 }
                if rest.starts(with: newline) { return (content, rest.startIndex + newline.count, false) }
            }
            // The next line that begins behind this form's newline.
            var found: Int?
            var at = line
            while let feed = body[at...].firstIndex(of: 0x0A) {
                at = feed + 1
                if newline.count == 1 || (feed > start && body[feed - 1] == 0x0D) {
                    found = at
                    break
                }
            }
            guard let found else { return nil }
            line = found
        }
        return nil
    }

    private static func headers(of body: [UInt8], at start: Int) -> (headers: [String: String], contentStart: Int)? {
        var headers: [String: String] = [:]
        var at = start
        while let feed = body[at...].firstIndex(of: 0x0A) {
            var line = body[at..<feed]
            if line.last == 0x0D { line = line.dropLast() }
            at = feed + 1
            if line.isEmpty { return (headers, at) }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            let value = String(decoding: WhiteSpace.trimmed(Array(line[(colon + 1)...])), as: UTF8.self)
            if headers[name] == nil { headers[name] = value }
        }
        return nil
    }

    /// nil: a part that Go would decode further. A part without a name has an empty one.
    private static func part(_ headers: [String: String], _ content: ArraySlice<UInt8>) -> Part? {
        if headers["content-transfer-encoding"]?.lowercased() == "quoted-printable" { return nil }
        let disposition = MediaType(headers["content-disposition"] ?? "")
        guard let disposition, disposition.isComplete, disposition.name == "form-data" else {
            return Part(name: [], isFile: false, content: [])
        }
        let isFile = !(disposition["filename"] ?? "").isEmpty
        return Part(name: Array((disposition["name"] ?? "").utf8), isFile: isFile, content: Array(content))
    }
}
