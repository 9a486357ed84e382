// The simulator's command line: many seeds side by side, or one of them in detail.

import ArgumentParser
import Simulation

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

@main
struct SluiceSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-sim",
        abstract: "Runs the gateway in a simulated world, and breaks that world in every way it knows.",
        discussion: """
            Every run is decided by its seed: clock, network, disks, nodes, clients and faults. A seed that fails fails again.
            """,
        subcommands: [RunCommand.self, ReplayCommand.self], defaultSubcommand: RunCommand.self)

    static func main() {
        runDeterministically()
        main(nil)
    }

    /// The order of sets and dictionaries must be the same in every process.
    private static func runDeterministically() {
        guard getenv("SWIFT_DETERMINISTIC_HASHING") == nil else { return }
        setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
        execv("/proc/self/exe", CommandLine.unsafeArgv)
        perror("sluice-sim: cannot start itself again")
        _exit(1)
    }
}

struct Size: ParsableArguments {
    @Option(help: "Operations of clients in each run.")
    var operations = 5_000

    @Option(help: "Faults in each run.")
    var faults = 50

    @Flag(help: "Measurements lie on some of the nodes, by rules of each run's own.")
    var placed = false

    func options(_ seed: UInt64) -> RunOptions {
        var options = RunOptions(seed: seed)
        options.operations = operations
        options.faults = faults
        options.isPlaced = placed
        return options
    }
}

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs many seeds.")

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds.")
    var runs: UInt64 = 100

    @Option(help: "Processes at a time.")
    var jobs = 2

    @Option(help: "Seeds that one process takes before it makes room for the next.")
    var batch: UInt64 = 20

    @OptionGroup var size: Size

    @Flag(help: .hidden)
    var isChild = false

    @Flag(help: "Go on after a failure.")
    var keepGoing = false

    func run() throws {
        if isChild { return try runHere() }
        let pool = ChildPool(jobs: jobs)
        var next = seed
        let end = seed + runs
        var failed = 0
        let begin = Stopwatch()
        var total = Totals()
        while next < end || pool.isBusy {
            if next < end, pool.hasRoom, failed == 0 || keepGoing {
                let count = min(batch, end - next)
                pool.start(
                    [
                        "run", "--is-child", "--seed", "\(next)", "--runs", "\(count)", "--operations",
                        "\(size.operations)", "--faults", "\(size.faults)", keepGoing ? "--keep-going" : nil,
                        size.placed ? "--placed" : nil,
                    ].compactMap { $0 })
                next += count
                continue
            }
            guard pool.isBusy else { break }
            let (lines, status) = pool.wait()
            for line in lines {
                if !total.add(line) { print(line) }
            }
            if status != 0 { failed += 1 }
        }
        print(total.report(seconds: begin.seconds))
        if failed > 0 { throw ExitCode(1) }
    }

    private func runHere() throws {
        var hasFailed = false
        for seed in seed..<seed + runs {
            let outcome = Run(size.options(seed)).run()
            print(Totals.line(seed, outcome))
            guard let violation = outcome.violation else { continue }
            print("seed \(seed): \(violation)")
            hasFailed = true
            if !keepGoing { break }
        }
        if hasFailed { throw ExitCode(1) }
    }
}

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Runs one seed, cuts a failure down to the faults that it needs, and tells its story.")

    @Argument(help: "The seed.")
    var seed: UInt64

    @OptionGroup var size: Size

    @Flag(inversion: .prefixedNo, help: "Cut the failure down first.")
    var shrink = true

    @Option(parsing: .upToNextOption, help: "Only the faults with these numbers.")
    var only: [Int] = []

    @Option(help: "Lines of the story, the last ones.")
    var lines = 200

    func run() throws {
        var options = size.options(seed)
        if !only.isEmpty { options.without = Set(0..<options.faults).subtracting(only) }
        if shrink { options = Shrinking.smallest(options) { print($0) } }
        options.isTraced = true
        let outcome = Run(options).run()
        for line in outcome.trace.suffix(lines) { print(line) }
        print(Totals.line(seed, outcome))
        guard let violation = outcome.violation else { return print("no violation") }
        print("seed \(seed): \(violation)")
        throw ExitCode(1)
    }
}
