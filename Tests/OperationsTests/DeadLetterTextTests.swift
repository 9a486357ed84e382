// What an operator reads before and after changing something about dead letters.
import Operations
import Testing

@Suite("Dead letters as text")
struct DeadLetterTextTests {
    @Test("the plan of a retry says what would be written, what is left out, and what it would overwrite")
    func plan() {
        let plan = RetryPlan(
            lines: 1_203,
            parts: [
                .init(
                    database: "iot", retentionPolicy: "week", measurement: "m", reason: "type conflict", lines: 1_200,
                    stillConflicting: 1_000, conflicts: ["v is float, written as string"]),
                .init(
                    database: "iot", retentionPolicy: "", measurement: "k\u{1b}[31m", reason: "other", lines: 3),
            ], withoutPrecision: 4, notText: 1, refusedByOneNode: 2, knowsFieldTypes: false)
        #expect(
            DeadLetterText.render(plan) == """
                DATABASE  POLICY   MEASUREMENT  LINES  REFUSED FOR
                iot       week     m            1,200  type conflict
                iot       default  k\\u{1b}[31m      3  other

                1,000 of 1,200 lines of m would be refused again, the conflict still stands: v is float, written as string
                The gateway did not say all types of fields, so more lines than these may be refused again.
                4 lines stay: an older version did not keep the unit of their timestamps.
                1 lines stay: they are not UTF-8 and were not kept byte for byte.
                2 lines were refused by one node alone: the others have them already.
                1,203 lines would be written, with their own timestamps, as if they came now: where a newer value of the \
                same point was written since, the old one would replace it.

                """)
        #expect(DeadLetterText.render(RetryPlan()) == "Nothing would be written.\n")
    }

    @Test(
        "a type conflict stands while the field has other types only",
        arguments: [
            (#"input field "v" on measurement "m" is type string, already exists as type float"#, ["float"], true),
            (#"input field "v" on measurement "m" is type string, already exists as type float"#, [], false),
            (#"input field "v" on measurement "m" is type string, already exists as type float"#, ["string"], false),
            (
                #"input field "v" on measurement "m" is type string, already exists as type float"#,
                ["float", "string"], false
            ),
        ])
    func conflicts(reason: String, types: [String], stands: Bool) throws {
        let conflict = try #require(
            FieldTypeConflict(reason: "partial write: field type conflict: \(reason) dropped=1"))
        #expect(conflict.field == "v" && conflict.written == "string")
        #expect(conflict.stands(against: Set(types)) == stands)
        #expect(FieldTypeConflict(reason: "database not found: \"x\"") == nil)
    }
}
