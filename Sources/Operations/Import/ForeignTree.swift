// The configuration of another gateway as a tree. Its keys are written in many ways (`listen_addr`, `listenAddr`,
// `LISTENADDR`), so they are compared without case and underscores; what they hold is left as it is.
import Yams

struct ForeignTree {
    /// A key as it is written, and in the form in which it is compared.
    struct Entry {
        let key: String
        let form: String
        let node: Node
    }

    let entries: [Entry]

    init?(_ node: Node) {
        guard let mapping = node.mapping else { return nil }
        entries = mapping.compactMap { keyNode, value in
            guard let key = keyNode.scalar?.string else { return nil }
            return Entry(key: key, form: Self.form(key), node: value)
        }
    }

    subscript(form: String) -> Node? { entries.first { $0.form == form }?.node }

    /// The text of a scalar; nil: it is not there, not a scalar, or empty.
    func text(_ form: String) -> String? { self[form]?.filledText }

    func flag(_ form: String) -> Bool { self[form]?.isTrue ?? false }

    private static func form(_ key: String) -> String {
        key.lowercased().filter { $0 != "_" && $0 != "-" }
    }
}

extension Node {
    /// nil: not a scalar, or empty.
    var filledText: String? {
        guard let scalar, !scalar.string.isEmpty, null == nil || scalar.style != .plain else { return nil }
        return scalar.string
    }

    /// Some write 1 for true.
    var isTrue: Bool { ["true", "yes", "1"].contains(scalar?.string.lowercased() ?? "") }

    /// For a comment: on one line, and not all of a long list.
    var summary: String {
        if let scalar { return scalar.string.isEmpty ? "\"\"" : scalar.string.commentLine }
        if let sequence { return "[" + sequence.prefix(8).map(\.summary).joined(separator: ", ") + "]" }
        return "{...}"
    }
}

extension String {
    /// Without what would end a comment.
    var commentLine: String {
        String(
            unicodeScalars.map {
                $0.value < 32 || $0.value == 127 || "\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0)
                    ? " " : Character($0)
            })
    }
}
