// The `params` of a request as values for the statements' bound parameters, read as InfluxDB reads them.

import InfluxQL

/// Why a node refuses the `params` of a request, and with them the whole request.
package struct ParametersProblem: Error, Equatable, Sendable {
    /// In InfluxDB's words.
    package let message: String

    package init(message: String) { self.message = message }
}

package enum BoundParameters {
    /// The values by name. Empty for `null` and for no bytes at all.
    ///
    /// As InfluxDB does it [1.6.7]: one JSON object, of two equal keys the last; what stands behind the object is not
    /// looked at. Top-level numbers with a point are floats, others integers. An object with one entry gives a value of
    /// the kind that the entry's key names: `{"identifier": "cpu"}`.
    package static func read(_ json: [UInt8]) throws(ParametersProblem) -> [String: BoundValue] {
        guard !json.isEmpty else { return [:] }
        guard let root = ResultJSON(beginningOf: json) else {
            let complaint = JSONComplaint.about(json) ?? "invalid JSON"
            throw ParametersProblem(message: "error parsing query parameters: \(complaint)")
        }
        guard root.kind == .object else {
            if root.literal == "null" { return [:] }
            throw ParametersProblem(
                message: "error parsing query parameters: json: cannot unmarshal \(root.goKind) into Go value of type "
                    + "map[string]interface {}")
        }
        var values: [String: BoundValue] = [:]
        for member in root.members { values[member.key] = try value(member.value) }
        return values
    }

    private static func value(_ json: ResultJSON) throws(ParametersProblem) -> BoundValue {
        switch json.kind {
        case .string(let text): return .string(text)
        case .array: return .invalid("unable to bind parameter with type []interface {}")
        case .object: return typed(json)
        case .literal("null"): return .invalid("unable to bind parameter with type <nil>")
        case .literal("true"): return .boolean(true)
        case .literal("false"): return .boolean(false)
        case .literal(let number): return try self.number(number)
        }
    }

    private static func number(_ text: String) throws(ParametersProblem) -> BoundValue {
        func problem(_ function: String, _ reason: String) -> ParametersProblem {
            ParametersProblem(
                message: "error parsing json value: strconv.\(function): parsing \"\(text)\": \(reason)")
        }
        if text.utf8.contains(UInt8(ascii: ".")) {
            guard let value = Double(text), value.isFinite else { throw problem("ParseFloat", "value out of range") }
            return .number(value)
        }
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }) else {
            throw problem("ParseInt", "invalid syntax")
        }
        guard let value = Int64(text) else { throw problem("ParseInt", "value out of range") }
        return .integer(value)
    }

    private static func typed(_ json: ResultJSON) -> BoundValue {
        let keys = Set(json.members.map(\.key))
        guard keys.count == 1, let member = json.members.last else {
            return .invalid("bound object parameter value must have exactly one entry")
        }
        let text = member.value.string
        switch member.key {
        case "ident", "identifier":
            return text.map { .identifier($0) } ?? .invalid("identifier must be a string value")
        case "regex": return text.map { .regex($0) } ?? .invalid("regex literal must be a string value")
        case "string": return text.map { .string($0) } ?? .invalid("string literal must be a string value")
        case "float", "number":
            let value = member.value.literal.flatMap { Double($0) }
            return value.flatMap { $0.isFinite ? .number($0) : nil } ?? .invalid("number literal must be a float value")
        case "int", "integer":
            let value = member.value.literal.flatMap { Int64($0) }
            return value.map { .integer($0) } ?? .invalid("integer literal must be an integer value")
        case "duration":
            if let nanoseconds = member.value.literal.flatMap({ Int64($0) }) { return .duration("\(nanoseconds)ns") }
            return text.map { .duration($0) } ?? .invalid("duration literal must be a string or integer value")
        default: return .invalid("unknown bind object type: \(member.key)")
        }
    }
}

extension ResultJSON {
    /// What Go's decoder calls a value in its errors.
    fileprivate var goKind: String {
        switch kind {
        case .object: "object"
        case .array: "array"
        case .string: "string"
        case .literal("true"), .literal("false"): "bool"
        case .literal: "number"
        }
    }
}
