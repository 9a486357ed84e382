// What the documents show must work: their examples are read, their tables compared with the code.
import Foundation
import NodeClient
import Operations
import TestSupport
import Testing

@Suite("Documentation")
struct DocumentationTests {

    private func text(_ path: String) throws -> String {
        try String(contentsOf: ProjectFolder.url.appending(path: path), encoding: .utf8)
    }

    /// The code blocks of one language.
    private func blocks(_ language: String, in text: String) -> [String] {
        text.components(separatedBy: "```" + language + "\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
    }

    private func load(_ text: String, name: String) -> LoadedConfiguration {
        var input = ConfigurationInput()
        input.file = (name, text)
        // The documents name password files of a machine that is not this one.
        input.readPasswordFile = { _ in PasswordFile(password: Secret("example"), isReadableByOthers: false) }
        input.examineTLS = { _, _ in [] }
        return ConfigurationLoader.load(input)
    }

    @Test("the configuration in the README is good")
    func readme() throws {
        let examples = blocks("yaml", in: try text("README.md"))
        #expect(examples.count == 1)
        for example in examples {
            let loaded = load(example, name: "README.md")
            #expect(loaded.problems == [])
            #expect(loaded.configuration.nodes.map(\.zone) == ["dc1", "dc2"])
        }
    }

    @Test("the example file is good, and says the defaults")
    func exampleFile() throws {
        let loaded = load(try text("examples/sluice.yaml"), name: "sluice.yaml")
        #expect(loaded.problems == [])
        var expected = Configuration()
        expected.nodes = loaded.configuration.nodes
        #expect(loaded.configuration == expected)
    }

    @Test("docs/configuration.md lists every key with its default, meaning and variable, and no other")
    func allKeys() throws {
        let document = try text("docs/configuration.md")
        let rows = document.split(separator: "\n").filter { $0.contains("| `SLUICE_") }
        #expect(rows.count == Setting.all.count)
        for (setting, row) in zip(Setting.all, rows) {
            #expect(row.hasPrefix("| `\(setting.key)` |"))
            #expect(row.hasSuffix("| `\(setting.environmentName)` |"))
            let hasFixedDefault = setting.key != "threads" && setting.key != "zone"
            if hasFixedDefault { #expect(row.contains("| `\(setting.render(Configuration()))` |"), "\(setting.key)") }
        }
        for example in blocks("yaml", in: document) { #expect(load(example, name: "configuration.md").problems == []) }
    }

    @Test("the examples in docs/placement.md are good")
    func placement() throws {
        let examples = blocks("yaml", in: try text("docs/placement.md"))
        #expect(!examples.isEmpty)
        for example in examples { #expect(load(example, name: "placement.md").problems == []) }
    }

    @Test("the changelog knows this version")
    func changelog() throws {
        #expect(try text("CHANGELOG.md").contains("## [\(SluiceVersion.current)]"))
    }
}
