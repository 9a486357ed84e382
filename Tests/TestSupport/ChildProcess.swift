// Starts real programs for tests so that none of them outlives the test process, however that ends.

import Dispatch
import Foundation
import Glibc
import Synchronization

/// How a child process ended.
package enum ExitStatus: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "killed by signal \(signal)"
        }
    }
}

/// A running program. Its standard output and standard error go to one file each.
///
/// The kernel kills the program when the test process dies (`setpriv --pdeathsig`), and `deinit` kills it when
/// the last reference goes.
package final class ChildProcess: Sendable {
    package let name: String
    package let pid: pid_t
    package let standardOutput: URL
    package let standardError: URL
    private let ended = Mutex<ExitStatus?>(nil)

    /// - Parameters:
    ///   - arguments: the first is the path of the executable.
    ///   - logFolder: where `<name>.out` and `<name>.err` are written (appended to, so that a restart keeps the past).
    ///   - environment: added to this process's own.
    package init(
        name: String,
        arguments: [String],
        environment: [String: String] = [:],
        logFolder: URL
    ) throws {
        self.name = name
        standardOutput = logFolder.appendingPathComponent("\(name).out")
        standardError = logFolder.appendingPathComponent("\(name).err")
        let launch = Launch(
            arguments: ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] + arguments,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
            standardOutput: standardOutput.path,
            standardError: standardError.path
        )
        pid = try LauncherThread.shared.run { try launch.spawn() }
    }

    deinit {
        guard status == nil else { return }
        kill(pid, SIGKILL)
        var raw: Int32 = 0
        waitpid(pid, &raw, 0)
    }

    /// How the process ended, or nil while it lives.
    package var status: ExitStatus? {
        ended.withLock { ended in
            if ended != nil { return ended }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            let signal = raw & 0x7f
            ended = signal == 0 ? .exited((raw >> 8) & 0xff) : .killed(signal: signal)
            return ended
        }
    }

    package var isRunning: Bool { status == nil }

    /// Sends a signal, unless the process has ended (its number may belong to another by then).
    package func signal(_ number: Int32) {
        ended.withLock { ended in
            if ended == nil { _ = kill(pid, number) }
        }
    }

    /// Waits for the end of the process.
    @discardableResult
    package func waitForExit(within limit: Duration = .seconds(30)) async throws -> ExitStatus {
        try await eventually("\(name) (pid \(pid)) ends", within: limit, every: .milliseconds(2)) { self.status }
    }

    /// Kills the process (SIGKILL, which also ends a stopped one) and waits until it is gone.
    package func killAndWait() async throws {
        signal(SIGKILL)
        try await waitForExit()
    }

    /// The most memory the process has held so far, in bytes; nil when it has ended.
    package var peakResidentBytes: Int? { statusField("VmHWM:").map { $0 * 1024 } }

    /// Open file descriptors; nil when it has ended.
    package var openFileDescriptors: Int? {
        try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }

    /// The memory that the process holds now, in bytes; nil when it has ended.
    package var residentBytes: Int? { statusField("VmRSS:").map { $0 * 1024 } }

    /// What of that is its own and no file's, in bytes (`RssAnon`); nil when it has ended.
    package var anonymousBytes: Int? { statusField("RssAnon:").map { $0 * 1024 } }

    /// User and system CPU seconds so far, all threads; nil when it has ended.
    package var processorSeconds: Double? {
        // The second field is the name in parentheses, which may hold spaces; utime and stime are the 12th and 13th
        // after it (proc(5)).
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Its threads; nil when it has ended.
    package var threads: Int? { statusField("Threads:") }

    private func statusField(_ field: String) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix(field) }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    }

    /// What the process has written, for a failure's message.
    package func log(lastLines: Int = 60) -> String {
        [standardOutput, standardError].map { file in
            let text = (try? String(decoding: Data(contentsOf: file), as: UTF8.self)) ?? ""
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).suffix(lastLines)
            return "--- \(file.lastPathComponent)\n" + lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}

/// What posix_spawn needs to know, as plain values.
private struct Launch: Sendable {
    let arguments: [String]
    let environment: [String: String]
    let standardOutput: String
    let standardError: String

    func spawn() throws -> pid_t {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, standardOutput, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&files, 2, standardError, O_WRONLY | O_CREAT | O_APPEND, 0o600)

        // A child starts with no signal blocked or ignored, whatever the test runner did with its own.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, arguments[0], &files, &attributes, &argv, &envp)
        guard failure == 0 else {
            throw TestFailure("cannot start \(arguments.joined(separator: " ")): \(String(cString: strerror(failure)))")
        }
        return pid
    }
}

/// The one thread that starts children. The kernel sends the parent-death signal when the *thread* that started a
/// child ends, and threads of the concurrency pool may end at any time; this one lives as long as the process.
private final class LauncherThread: Sendable {
    static let shared = LauncherThread()

    private let waiting = Mutex<[@Sendable () -> Void]>([])
    private let wake = DispatchSemaphore(value: 0)

    private init() {
        Thread { self.loop() }.start()
    }

    private func loop() {
        while true {
            wake.wait()
            let job = waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            job?()
        }
    }

    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) throws -> T {
        let done = DispatchSemaphore(value: 0)
        let outcome = Box<T>()
        waiting.withLock {
            $0.append {
                outcome.value.withLock { $0 = Result { try body() } }
                done.signal()
            }
        }
        wake.signal()
        done.wait()
        guard let result = outcome.value.withLock({ $0 }) else { throw TestFailure("the launcher gave no answer") }
        return try result.get()
    }

    private final class Box<T: Sendable>: Sendable {
        let value = Mutex<Result<T, any Error>?>(nil)
    }
}
