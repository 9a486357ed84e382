// How the demo speaks: short lines, what happened on the left, the figures on the right.
import Foundation

struct DemoOutput: Sendable {
    private let hasColour = isatty(1) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

    func line(_ text: String = "") {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    func heading(_ text: String) {
        line("\n" + styled(text, "1"))
    }

    /// One thing that was done, and how it went.
    func step(_ what: String, _ result: String = "", isGood: Bool = true) {
        let mark = isGood ? styled("✓", "32") : styled("✗", "31")
        let padding = String(repeating: " ", count: max(1, 44 - what.count))
        line("  \(mark) \(what)\(result.isEmpty ? "" : padding + result)")
    }

    func command(_ text: String, _ comment: String = "") {
        line("    " + styled(text, "36") + (comment.isEmpty ? "" : "   # \(comment)"))
    }

    private func styled(_ text: String, _ code: String) -> String {
        hasColour ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let value = Double(seconds) + Double(attoseconds) / 1e18
        return value < 1 ? "\(Int((value * 1000).rounded())) ms" : String(format: "%.1f s", value)
    }
}
