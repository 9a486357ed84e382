// What the tests of imports share: an import that must load.
import Operations
import Testing

/// The text that an import makes; it must be a configuration without errors.
/// - Parameter warnings: what `sluice check` may say of it.
func imported(_ text: String, as name: String, warnings: [String] = []) throws -> String {
    let made = try ImportedConfiguration(text: text, name: name).text
    var input = ConfigurationInput()
    input.file = ("sluice.yaml", made)
    input.examineTLS = { _, _ in [] }
    let loaded = ConfigurationLoader.load(input)
    #expect(loaded.problems.map(\.what) == warnings, "\(made)")
    return made
}
