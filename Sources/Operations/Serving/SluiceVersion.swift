// The version that `--version`, status and metrics show. CHANGELOG.md says what each brought.

package enum SluiceVersion {
    package static let current = "0.1.0"
}
