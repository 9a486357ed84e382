// Values of fields, with the types that InfluxDB keeps apart.

package enum FieldType: Int, Hashable, Sendable, Comparable, CustomStringConvertible {
    // Where shards disagree, a query reads a field as the first of these.
    case float, integer, string, boolean

    package var description: String {
        switch self {
        case .float: "float"
        case .integer: "integer"
        case .string: "string"
        case .boolean: "boolean"
        }
    }

    package static func < (left: FieldType, right: FieldType) -> Bool { left.rawValue < right.rawValue }
}

package enum FieldValue: Hashable, Sendable {
    case float(Double)
    case integer(Int64)
    case string(Text)
    case boolean(Bool)

    package var type: FieldType {
        switch self {
        case .float: .float
        case .integer: .integer
        case .string: .string
        case .boolean: .boolean
        }
    }

    /// As a query sees it that reads the field as `type`; nil: not at all.
    func cast(to type: FieldType) -> FieldValue? {
        switch (self, type) {
        case (.integer(let value), .float): .float(Double(value))
        // What Go on amd64 does with a float that does not fit.
        case (.float(let value), .integer): .integer(Int64(exactly: value.rounded(.towardZero)) ?? .min)
        default: self.type == type ? self : nil
        }
    }

    /// Bytes that the cache counts for it, its time included.
    var size: Int {
        switch self {
        case .float, .integer: 16
        case .boolean: 9
        case .string(let text): 8 + text.bytes.count
        }
    }
}

extension FieldValue: CustomStringConvertible {
    package var description: String {
        switch self {
        case .float(let value): "\(value)"
        case .integer(let value): "\(value)i"
        case .string(let text): text.quoted
        case .boolean(let value): "\(value)"
        }
    }
}
