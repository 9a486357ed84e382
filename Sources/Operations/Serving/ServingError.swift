// An error that ends the process: one line that says what happened and what to do.

package struct ServingError: Error, Equatable, Sendable, CustomStringConvertible {
    package let what: String
    package let advice: String

    package init(_ what: String, advice: String) {
        self.what = what
        self.advice = advice
    }

    package var description: String { "\(what): \(advice)" }
}
