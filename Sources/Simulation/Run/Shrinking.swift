// Cuts a failing run down: fewer operations, then fewer faults, as long as the same promise is broken.

package enum Shrinking {
    package static func smallest(_ options: RunOptions, say: (String) -> Void) -> RunOptions {
        guard let violation = Run(options).run().violation else { return options }
        var best = options
        let fails = { (options: RunOptions) in Run(options).run().violation?.invariant == violation.invariant }
        var operations = options.operations / 2
        while operations > 0 {
            var fewer = best
            fewer.operations = operations
            guard fails(fewer) else { break }
            best = fewer
            operations /= 2
        }
        // Halves of the faults, then quarters, and so on.
        var size = max(1, best.faults / 2)
        while true {
            var at = 0
            while at < best.faults {
                let part = Set(at..<min(best.faults, at + size)).subtracting(best.without)
                at += size
                guard !part.isEmpty else { continue }
                var fewer = best
                fewer.without.formUnion(part)
                if fails(fewer) { best = fewer }
            }
            guard size > 1 else { break }
            size /= 2
        }
        say(
            "seed \(options.seed) fails with \(best.operations) operations and \(best.faults - best.without.count) faults: "
                + "\(violation.invariant)")
        return best
    }
}
