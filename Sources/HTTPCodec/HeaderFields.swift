// The fields of a head as the bytes they came in; a text is made of what is asked for.

/// Fields in the order in which they came. Names are tokens, values have neither line ends nor blanks around them.
package struct HeaderFields: Sendable {
    /// One field's place in `bytes`.
    struct Field: Sendable {
        var nameStart: Int32
        var nameCount: Int32
        var valueStart: Int32
        var valueCount: Int32
    }

    private var bytes: [UInt8]
    private var fields: [Field]

    package init() {
        bytes = []
        fields = []
    }

    init(bytes: [UInt8], fields: [Field]) {
        self.bytes = bytes
        self.fields = fields
    }

    package init(_ pairs: [(String, String)]) {
        self.init()
        for (name, value) in pairs { add(name, value) }
    }

    package mutating func add(_ name: String, _ value: String) {
        let nameStart = Int32(bytes.count)
        bytes += name.utf8
        let valueStart = Int32(bytes.count)
        bytes += value.utf8
        fields.append(
            Field(
                nameStart: nameStart, nameCount: valueStart - nameStart, valueStart: valueStart,
                valueCount: Int32(bytes.count) - valueStart))
    }

    package mutating func remove(name: String) {
        fields = fields.filter { !isNamed($0, name) }
    }

    /// The value of the first field of that name, in whatever case; bytes that are no UTF-8 become U+FFFD.
    package func first(name: String) -> String? {
        for field in fields where isNamed(field, name) { return value(of: field) }
        return nil
    }

    package func contains(name: String) -> Bool { fields.contains { isNamed($0, name) } }

    /// Names and values as texts.
    package var pairs: [(String, String)] {
        fields.map { field in
            let start = Int(field.nameStart)
            return (String(decoding: bytes[start..<start + Int(field.nameCount)], as: UTF8.self), value(of: field))
        }
    }

    /// Compares a name, or a value that has no case, with a text in lower case.
    @inline(__always)
    package static func isSame(_ bytes: UnsafeRawBufferPointer, _ lowercased: StaticString) -> Bool {
        HTTPSyntax.isSame(bytes, lowercased)
    }

    /// Calls `body` with each field's name and value.
    @inline(__always)
    package func forEach<E>(
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        try bytes.withUnsafeBufferPointer { bytes throws(E) in
            let bytes = UnsafeRawBufferPointer(bytes)
            for field in fields {
                try body(
                    UnsafeRawBufferPointer(rebasing: bytes[Int(field.nameStart)...].prefix(Int(field.nameCount))),
                    UnsafeRawBufferPointer(rebasing: bytes[Int(field.valueStart)...].prefix(Int(field.valueCount))))
            }
        }
    }

    private func value(of field: Field) -> String {
        let start = Int(field.valueStart)
        return String(decoding: bytes[start..<start + Int(field.valueCount)], as: UTF8.self)
    }

    private func isNamed(_ field: Field, _ name: String) -> Bool {
        guard Int(field.nameCount) == name.utf8.count else { return false }
        var position = Int(field.nameStart)
        for byte in name.utf8 {
            guard HTTPSyntax.fold(bytes[position]) == HTTPSyntax.fold(byte) else { return false }
            position += 1
        }
        return true
    }
}
