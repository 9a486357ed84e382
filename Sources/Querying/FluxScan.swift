// Whether a Flux request could write. Nobody parses Flux here, so whatever might write is refused, and some that would
// not: what a node writes by itself, no other node has.

/// What stands against a Flux request; found by its words alone.
package enum FluxScan {
    package struct Refusal: Error, Equatable, Sendable {
        /// 400 or 403.
        package let status: Int
        package let message: String
    }

    /// The functions that write to InfluxDB, in whichever package they are.
    private static let writers: Set<String> = ["to", "wideTo"]
    /// What a request in JSON may hold.
    private static let members: Set<String> = ["query", "type", "dialect", "now", "params", "org", "orgID"]

    // MARK: Requests

    /// - Parameter contentType: of the request; `application/vnd.flux` is Flux, all else JSON, as a node takes it.
    package static func check(_ body: [UInt8], contentType: String) throws(Refusal) {
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        if type == "application/vnd.flux" { return try check(body) }
        guard let json = ResultJSON(beginningOf: body), json.kind == .object else {
            throw Refusal(status: 400, message: "the body is no JSON object with a \"query\"")
        }
        for member in json.members {
            guard members.contains(member.key) else {
                throw Refusal(
                    status: 403,
                    message: "a Flux request with \"\(member.key)\" is not let through: what it does cannot be seen")
            }
            if member.key == "type", member.value.string != "flux" {
                throw Refusal(status: 403, message: "queries of type \"flux\" only are let through here")
            }
            if member.key == "query" {
                guard let text = member.value.string else {
                    throw Refusal(status: 400, message: "\"query\" is no text")
                }
                try check(Array(text.utf8))
            }
        }
    }

    // MARK: Flux

    /// Looks at names outside of strings and comments, at names in brackets, and into the expressions in strings.
    package static func check(_ text: [UInt8]) throws(Refusal) {
        var at = 0
        var isBehindBracket = false
        while at < text.count {
            let byte = text[at]
            switch byte {
            case UInt8(ascii: "/") where at + 1 < text.count && text[at + 1] == UInt8(ascii: "/"):
                while at < text.count, text[at] != 0x0A { at += 1 }
            case UInt8(ascii: "\""):
                let start = at + 1
                at = start
                while at < text.count, text[at] != UInt8(ascii: "\"") {
                    at += text[at] == UInt8(ascii: "\\") ? 2 : 1
                }
                let content = Array(text[min(start, text.count)..<min(at, text.count)])
                if isBehindBracket { try check(member: content) }
                if let expression = content.firstRange(of: Array("${".utf8)) {
                    try check(Array(content[expression.upperBound...]))
                }
                at += 1
                isBehindBracket = false
            case _ where isNamePart(byte):
                let start = at
                while at < text.count, isNamePart(text[at]) { at += 1 }
                try check(name: String(decoding: text[start..<at], as: UTF8.self))
                isBehindBracket = false
            default:
                if ![0x09, 0x0A, 0x0D, 0x20].contains(byte) { isBehindBracket = byte == UInt8(ascii: "[") }
                at += 1
            }
        }
    }

    /// `experimental["to"]`
    private static func check(member: [UInt8]) throws(Refusal) {
        if member.contains(UInt8(ascii: "\\")) { throw refusal("a name with escapes in brackets") }
        try check(name: String(decoding: member, as: UTF8.self))
    }

    private static func check(name: String) throws(Refusal) {
        if writers.contains(name) { throw refusal("\(name)()") }
    }

    private static func refusal(_ what: String) -> Refusal {
        Refusal(
            status: 403,
            message:
                "\(what) in Flux would write to one node behind the back of the others: write with /write, or with "
                + "SELECT INTO")
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), 0x80...0xFF: true
        default: false
        }
    }
}
