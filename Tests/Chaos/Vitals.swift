// What a process holds: memory, file descriptors, threads; and whether that grows.

import TestSupport

package struct Vitals: Sendable, CustomStringConvertible {
    package let residentBytes: Int
    package let descriptors: Int
    package let threads: Int

    init?(of process: ChildProcess) {
        guard let bytes = process.residentBytes, let files = process.openFileDescriptors, let threads = process.threads
        else { return nil }
        (residentBytes, descriptors, self.threads) = (bytes, files, threads)
    }

    package var description: String { "\(residentBytes >> 20) MiB, \(descriptors) descriptors, \(threads) threads" }
}

/// The straight line through samples by least squares.
package struct Trend: Sendable, Equatable {
    /// Per unit of x.
    package let slope: Double
    package let start: Double

    /// Nil for fewer than two different x.
    package init?(_ samples: [(x: Double, y: Double)]) {
        let count = Double(samples.count)
        let meanX = samples.reduce(0) { $0 + $1.x } / max(count, 1)
        let meanY = samples.reduce(0) { $0 + $1.y } / max(count, 1)
        let spread = samples.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        guard spread > 0 else { return nil }
        slope = samples.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / spread
        start = meanY - slope * meanX
    }
}
