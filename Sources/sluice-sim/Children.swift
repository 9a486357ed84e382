// Runs are independent, so they are spread over processes; a process ends after some of them, and with it all that they
// took.

import Simulation

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Processes of this program under way.
final class ChildPool {
    private struct Child {
        let process: pid_t
        let output: UnsafeMutablePointer<FILE>
        var lines: [String] = []
    }

    private let jobs: Int
    private var children: [Child] = []

    init(jobs: Int) { self.jobs = max(1, jobs) }

    var hasRoom: Bool { children.count < jobs }
    var isBusy: Bool { !children.isEmpty }

    func start(_ arguments: [String]) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { fatalError("no pipe: errno \(errno)") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        var argv: [UnsafeMutablePointer<CChar>?] = (["sluice-sim"] + arguments).map { strdup($0) }
        argv.append(nil)
        var process: pid_t = 0
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, argv, environ)
        for argument in argv { free(argument) }
        posix_spawn_file_actions_destroy(&actions)
        close(ends[1])
        guard code == 0, let output = fdopen(ends[0], "r") else { fatalError("cannot start a run: errno \(code)") }
        children.append(Child(process: process, output: output))
    }

    /// Waits until one of them says something, which they do at their end. Its lines, and its exit status.
    func wait() -> (lines: [String], status: Int32) {
        var waiting = children.map { pollfd(fd: fileno($0.output), events: Int16(POLLIN), revents: 0) }
        while poll(&waiting, nfds_t(waiting.count), -1) < 0 {}
        let child = children.remove(at: waiting.firstIndex { $0.revents != 0 } ?? 0)
        var lines: [String] = []
        var buffer: UnsafeMutablePointer<CChar>?
        var capacity = 0
        while getline(&buffer, &capacity, child.output) > 0 {
            guard let buffer else { break }
            var line = String(cString: buffer)
            if line.hasSuffix("\n") { line.removeLast() }
            lines.append(line)
        }
        free(buffer)
        fclose(child.output)
        var status: Int32 = 0
        waitpid(child.process, &status, 0)
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        if code > 1 { lines.append("a process of runs ended with \(code): the seed after the last one above it") }
        return (lines, code)
    }
}

struct Stopwatch {
    private let begin = Stopwatch.now

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    var seconds: Double { Stopwatch.now - begin }
}

/// What runs report to the process that started them, a line each.
struct Totals {
    private var sums = [Int](repeating: 0, count: 7)
    private var runs = 0

    static func line(_ seed: UInt64, _ outcome: RunOutcome) -> String {
        "run \(seed) \(outcome.operations) \(outcome.acknowledged) \(outcome.reads) \(outcome.staleReads) "
            + "\(outcome.faults) \(outcome.copies) \(outcome.steps)"
    }

    /// False: it is none of these lines.
    mutating func add(_ line: String) -> Bool {
        let words = line.split(separator: " ")
        guard words.count == 9, words[0] == "run" else { return false }
        runs += 1
        for (index, word) in words.dropFirst(2).enumerated() { sums[index] += Int(word) ?? 0 }
        return true
    }

    func report(seconds: Double) -> String {
        let rate = Int(Double(sums[0]) / max(0.001, seconds))
        return
            "\(runs) runs, \(sums[0]) operations (\(sums[1]) changes acknowledged, \(sums[2]) reads of which \(sums[3]) stale), "
            + "\(sums[4]) faults, \(sums[5]) copies by the operator, \(sums[6]) events; "
            + "\(Int(seconds)) s, \(rate) operations/s"
    }
}
