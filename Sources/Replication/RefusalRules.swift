// What a node's words say of the lines that it refused, so that these are found without trying (reference, 5), and
// what was refused a moment ago, so that lines of the same kind travel apart from the others.

import Cluster
import LineProtocol

/// A kind of line that a node refuses, as its own words name it.
package struct RefusalRule: Hashable, Sendable {
    private enum Trait: Hashable, Sendable {
        /// A field with a value of this type.
        case field(key: String, type: String)
        case tag(key: String)
        case tagValue(key: String, value: String)
        /// A field of this name.
        case fieldName(String)
    }

    /// As queries know it.
    private let measurement: [UInt8]
    private let trait: Trait

    /// nil: the words name no lines.
    package init?(words: String) {
        let conflict = Self.parts(
            of: words, between: ["input field \"", "\" on measurement \"", "\" is type ", ", already exists as type "])
        let maximum = Self.parts(
            of: words,
            between: ["max-values-per-tag limit exceeded", "measurement=\"", "\" tag=\"", "\" value=\"", "\""])
        let tag = Self.parts(
            of: words, between: ["invalid tag key: input tag \"", "\" on measurement \"", "\" is invalid"])
        let field = Self.parts(
            of: words, between: ["invalid field name: input field \"", "\" on measurement \"", "\" is invalid"])
        if let conflict {
            measurement = Array(conflict[1].utf8)
            trait = .field(key: conflict[0], type: conflict[2])
        } else if let maximum {
            measurement = Array(maximum[1].utf8)
            trait = .tagValue(key: maximum[2], value: maximum[3])
        } else if let tag {
            measurement = Array(tag[1].utf8)
            trait = .tag(key: tag[0])
        } else if let field {
            measurement = Array(field[1].utf8)
            trait = .fieldName(field[0])
        } else {
            return nil
        }
    }

    /// The texts between marks that follow each other in this order.
    private static func parts(of text: String, between marks: [String]) -> [String]? {
        var text = text
        return text.withUTF8 { bytes in
            var parts: [String] = []
            var start = 0
            for (position, mark) in marks.enumerated() {
                guard let found = bytes.firstPosition(of: mark, from: start) else { return nil }
                if position > 0 { parts.append(String(decoding: bytes[start..<found], as: UTF8.self)) }
                start = found + mark.utf8.count
            }
            return parts
        }
    }

    private init(measurement: [UInt8], trait: Trait) {
        self.measurement = measurement
        self.trait = trait
    }

    /// Of a conflict of types: the lines that have the field, whatever its type; the first of them decides the type in
    /// its shard. Nil: what is refused does not depend on the order of lines.
    var anyType: RefusalRule? {
        guard case .field(let key, _) = trait else { return nil }
        return RefusalRule(measurement: measurement, trait: .fieldName(key))
    }

    func hasMeasurement(_ line: UnsafeRawBufferPointer) -> Bool {
        let range = MeasurementName.range(inLine: line)
        // An escape makes the name in the line longer, never shorter.
        guard range.count >= measurement.count else { return false }
        let name = UnsafeRawBufferPointer(rebasing: line[range])
        return name.count == measurement.count
            ? name.elementsEqual(measurement) : MeasurementName.unescape(name) == measurement
    }

    func matches(_ parts: LineParts, of line: UnsafeRawBufferPointer) -> Bool {
        func text(_ range: Range<Int>) -> String {
            String(decoding: MeasurementName.unescape(line[range]), as: UTF8.self)
        }
        switch trait {
        case .field(let key, let type):
            return parts.fields.contains { $0.type.rawValue == type && text($0.key) == key }
        case .fieldName(let key): return parts.fields.contains { text($0.key) == key }
        case .tag(let key): return parts.tags.contains { text($0.key) == key }
        case .tagValue(let key, let value):
            return parts.tags.contains { text($0.key) == key && text($0.value) == value }
        }
    }
}

/// The kinds of lines that were refused lately, by database.
struct RecentRefusals {
    struct Entry {
        let rule: RefusalRule
        /// Of the write, as it was named.
        let policy: String
        /// From the oldest to the newest of the lines, in nanoseconds; nil: one could not be told.
        let times: ClosedRange<Int64>?
        fileprivate let lastHit: Int64
    }

    private var entries: [String: [Entry]] = [:]
    private static let perDatabase = 64
    /// A kind that was not met for this long is no storm any more; nanoseconds.
    private static let memory: Int64 = 60_000_000_000

    mutating func hit(
        _ rule: RefusalRule, database: String, policy: String, times: ClosedRange<Int64>?, now: Int64
    ) {
        var list = entries[database] ?? []
        list.removeAll { ($0.rule == rule && $0.policy == policy) || now - $0.lastHit > Self.memory }
        list.append(Entry(rule: rule, policy: policy, times: times, lastHit: now))
        if list.count > Self.perDatabase { list.removeFirst() }
        entries[database] = list
    }

    /// A statement may have changed what is refused.
    mutating func forget(database: String?) {
        if let database { entries[database] = nil } else { entries = [:] }
    }

    func refusals(database: String, policy: String, now: Int64) -> [Entry] {
        (entries[database] ?? []).filter { $0.policy == policy && now - $0.lastHit <= Self.memory }
    }
}
