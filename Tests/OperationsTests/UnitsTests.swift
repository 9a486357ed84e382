// Durations and sizes: every form that is read, and every mistake with its advice.
import Operations
import Testing

@Suite("Units")
struct UnitsTests {
    @Test(
        "a duration is numbers with units, added up",
        arguments: [
            ("2s", Duration.seconds(2)), ("1m30s", .seconds(90)), ("250ms", .milliseconds(250)), ("0s", .zero),
            ("1.5h", .seconds(5_400)), ("2d", .seconds(172_800)), ("10us", .microseconds(10)), ("7ns", .nanoseconds(7)),
            ("1h0m1s", .seconds(3_601)),
        ])
    func duration(text: String, expected: Duration) throws {
        #expect(try DurationText.parse(text) == expected)
    }

    @Test(
        "a duration that cannot be read says what to write",
        arguments: [
            ("2", "has no unit: write 2s or 2ms"), ("", "is empty: write a number with its unit, such as 2s or 1m30s"),
            ("two", "is not a duration: write a number with its unit, such as 2s or 1m30s"),
            ("-1s", "is not a duration: write a number with its unit, such as 2s or 1m30s"),
            ("1m30", "is not a duration: write a number with its unit, such as 2s or 1m30s"),
            ("2 s", "is not a duration: write a number with its unit, such as 2s or 1m30s"),
            ("2sec", "has the unknown unit \"sec\": use ns, us, ms, s, m, h or d, such as 2s or 1m30s"),
            ("999999999999d", "is too long: write a shorter duration"),
        ])
    func wrongDuration(text: String, expected: String) {
        let fault = #expect(throws: ValueFault.self) { try DurationText.parse(text) }
        #expect(fault.map { "\($0.what): \($0.advice)" } == expected)
    }

    @Test(
        "a size is one number with a decimal or binary unit",
        arguments: [
            ("25MB", 25_000_000), ("64MiB", 67_108_864), ("1KB", 1_000), ("1kB", 1_000), ("512B", 512),
            ("1.5GiB", 1_610_612_736),
            ("0B", 0), ("2TB", 2_000_000_000_000), ("1TiB", 1_099_511_627_776),
        ])
    func size(text: String, expected: Int) throws {
        #expect(try SizeText.parse(text) == expected)
    }

    @Test(
        "a size that cannot be read says what to write",
        arguments: [
            ("25", "has no unit: write 25MB or 25MiB"),
            ("25M", "has the unknown unit \"M\": use B, KB, MB, GB, TB or KiB, MiB, GiB, TiB, such as 64MiB"),
            ("1MB2KB", "is not a size: write one number with one unit, such as 25MB or 64MiB"),
            ("much", "is not a size: write a number with its unit, such as 25MB or 64MiB"),
        ])
    func wrongSize(text: String, expected: String) {
        let fault = #expect(throws: ValueFault.self) { try SizeText.parse(text) }
        #expect(fault.map { "\($0.what): \($0.advice)" } == expected)
    }

    @Test("what is rendered is read back as the same value")
    func roundTrip() throws {
        for text in ["2s", "1m30s", "250ms", "2m", "1d2h", "0s", "3ns"] {
            #expect(DurationText.render(try DurationText.parse(text)) == text)
        }
        for text in ["25MB", "64MiB", "1GiB", "0B", "1B", "250MB", "1001B"] {
            #expect(SizeText.render(try SizeText.parse(text)) == text)
        }
    }
}
