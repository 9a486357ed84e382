// One thing that is wrong with a configuration: where, what, and what to do. All of them are reported at once.

package struct ConfigurationProblem: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Severity: Equatable, Sendable { case error, warning }

    package var severity = Severity.error
    package let origin: Origin
    package let what: String
    package let advice: String

    package var description: String {
        "\(origin): \(severity == .warning ? "warning: " : "")\(what): \(advice)"
    }
}

/// Where a value comes from.
package enum Origin: Equatable, Sendable, CustomStringConvertible {
    /// Lines and columns count from 1.
    case file(String, line: Int, column: Int)
    case environment(String)
    case flag(String)
    case builtIn

    package var description: String {
        switch self {
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .environment(let name): name
        case .flag(let name): name
        case .builtIn: "default"
        }
    }
}
