// The record that clients keep of points they write again and again, and what it says a reader may see. Each register
// (one field of one point) has one writer, which sends one request at a time, with values that only grow.

import Synchronization

package struct RegisterName: Hashable, Sendable, CustomStringConvertible {
    package let database: Int
    package let writer: Int
    package let series: Int
    /// Its number among the times of a series; each lies in a shard group of its own.
    package let slot: Int

    package init(database: Int, writer: Int, series: Int, slot: Int) {
        self.database = database
        self.writer = writer
        self.series = series
        self.slot = slot
    }

    package var description: String { "\(databaseName) r,s=\(series),w=\(writer) at \(seconds) s" }
    package var databaseName: String { "c\(database)" }

    /// A whole hour, so that every precision can say it.
    package var seconds: Int { 1_699_999_200 + slot * 10 * 86_400 }

    package static let firstSecond = 1_699_999_200
}

/// What is known of one register.
package struct Register: Sendable, Equatable {
    /// The greatest value that was acknowledged; 0: none.
    package private(set) var floor = 0
    /// Values that were sent and neither acknowledged nor overtaken by an acknowledged one.
    package private(set) var unknown: [Int] = []
    /// Values of requests that somebody may still hold and carry out at any time.
    package private(set) var open: Set<Int> = []
    /// The greatest value that was ever sent.
    package private(set) var sent = 0

    package init() {}

    package mutating func send(_ value: Int) {
        sent = max(sent, value)
        if unknown.last != value { unknown.append(value) }
    }

    package mutating func acknowledge(_ value: Int) {
        floor = max(floor, value)
        unknown.removeAll { $0 <= floor }
    }

    package mutating func leaveOpen(_ value: Int) {
        open.insert(value)
    }

    /// Takes back what never left the client.
    package mutating func takeBack(_ value: Int) {
        if !open.contains(value) { unknown.removeAll { $0 == value } }
    }

    /// At rest, when no request can land any more: what stands there is what stays.
    package mutating func settle(at value: Int?) {
        floor = value ?? 0
        unknown = []
        open = []
    }

    /// What is wrong with `value` (nil: no point), read by a request that was sent when `floor` was `floor`.
    package func complaint(_ value: Int?, floor: Int) -> String? {
        guard let value else {
            return floor > 0 ? "no point, but \(floor) was acknowledged" : nil
        }
        if value > sent { return "\(value), which nobody sent; the greatest was \(sent)" }
        if value < floor && !open.contains(value) { return "\(value), but \(floor) was acknowledged before the read" }
        return nil
    }

    /// What is wrong with `value` at rest.
    package func complaintAtRest(_ value: Int?) -> String? {
        if let value, value != floor, !unknown.contains(value), !open.contains(value) {
            return "\(value); acknowledged was \(floor), unknown are \(unknown), open are \(open.sorted())"
        }
        if value == nil, floor > 0 { return "no point, but \(floor) was acknowledged" }
        return nil
    }
}

/// All registers and what happened to them lately, shared by their writers and by readers.
package final class RegisterBook: Sendable {
    private struct Event {
        let at: Duration
        let text: String
        let names: Set<RegisterName>
    }

    private struct State {
        var registers: [RegisterName: Register] = [:]
        var events: [Event] = []
    }

    private let state = Mutex(State())
    private let timeline: Timeline

    package init(_ timeline: Timeline) {
        self.timeline = timeline
    }

    package func change(_ names: some Collection<RegisterName>, _ what: String, _ body: (inout Register) -> Void) {
        let event = Event(at: timeline.elapsed, text: what, names: Set(names))
        state.withLock { state in
            for name in names { body(&state.registers[name, default: Register()]) }
            state.events.append(event)
            if state.events.count > 20_000 { state.events.removeFirst(10_000) }
        }
    }

    /// For reports: a read, say, that changes nothing.
    package func note(_ names: some Collection<RegisterName>, _ what: String) {
        change(names, what) { _ in }
    }

    package subscript(name: RegisterName) -> Register {
        state.withLock { $0.registers[name] ?? Register() }
    }

    package var names: [RegisterName] { state.withLock { Array($0.registers.keys) } }

    /// The last events of one register, for the report of a violation.
    package func history(of name: RegisterName) -> String {
        let events = state.withLock { $0.events.filter { $0.names.contains(name) }.suffix(60) }
        return events.map { "\(stamp($0.at)) \($0.text)" }.joined(separator: "\n")
    }
}
