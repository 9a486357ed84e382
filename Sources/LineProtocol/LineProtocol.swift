// Overview of the target: InfluxDB 1.x line protocol, read exactly as InfluxDB reads it, and nothing else.
//
// A write request's body goes through one `LineScanner`, piece by piece as it arrives. What comes out, a `ScanResult`,
// says how many points are good, which lines are bad and why (in InfluxDB's words), and how the body becomes the
// *payload*: the bytes that every node gets. The payload holds the good lines only, each with a timestamp, each
// terminated by "\n", and each so that its end can be found without looking at its neighbours; so payloads can be
// joined, and split again with `PayloadLines`.
//
//     Precision        the unit of timestamps
//     LineScanner      bytes in, ScanResult out; `SimpleLines` is its fast path
//     LineSplitter     where a line ends (quotes and escapes can hide a newline)
//     LineGrammar      one line: good, or bad for a reason
//     LineError        the reasons and their texts
//     ScanResult       counts, errors, edits, payload
//     PayloadLines     the lines of a payload; MeasurementName: whose points they are
//
// The source of every rule is the behaviour of real servers (influxd 1.6.7, and models/points.go of the 1.x branches);
// the differential test in EndToEndTests holds the two side by side. Three kinds of lines are treated differently on
// purpose, because they harm the server (see `LineErrorReason.unstorableValue`, `.endsOnlyWithBody`).
//
// No dependencies, no I/O, no clock.

/// The bytes that line protocol gives a meaning.
enum Byte {
    static let nul: UInt8 = 0x00
    static let tab: UInt8 = 0x09
    static let newline: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let hash: UInt8 = 0x23
    static let plus: UInt8 = 0x2B
    static let comma: UInt8 = 0x2C
    static let minus: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let equals: UInt8 = 0x3D
    static let backslash: UInt8 = 0x5C
    static let zero: UInt8 = 0x30
    static let nine: UInt8 = 0x39
    static let i = UInt8(ascii: "i")
    static let u = UInt8(ascii: "u")
    static let lowerE = UInt8(ascii: "e")
    static let upperE = UInt8(ascii: "E")

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

    /// What InfluxDB skips at the start of a line, of the fields and of the time.
    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab || byte == nul }
}
