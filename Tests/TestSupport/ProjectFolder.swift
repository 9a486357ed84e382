import Foundation

/// The checkout under test. Tests are started in it; where they were compiled may be somewhere else.
package enum ProjectFolder {
    package static let url = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
}
