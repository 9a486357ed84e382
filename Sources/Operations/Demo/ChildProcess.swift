// Processes of the demo, started so that none can outlive it: not after Ctrl-C, not even after kill -9 of the demo.
import Dispatch
import Foundation
import Synchronization

/// One running program. It is stopped by its pid only.
final class ChildProcess: Sendable {
    let pid: Int32
    private let exit: ExitSignal

    /// Starts a program with its output in a file.
    /// - Throws: `ServingError` when it cannot be started.
    static func start(_ path: String, _ arguments: [String], logFile: String, environment: [String: String])
        async throws
        -> ChildProcess
    {
        try await withCheckedThrowingContinuation { continuation in
            Spawner.shared.perform {
                continuation.resume(
                    with: Result { try ChildProcess(path, arguments, logFile: logFile, environment: environment) })
            }
        }
    }

    private init(_ path: String, _ arguments: [String], logFile: String, environment: [String: String]) throws {
        let process = Process()
        let setpriv = "/usr/bin/setpriv"
        if FileManager.default.isExecutableFile(atPath: setpriv) {
            // It replaces itself by the program, so the pid is the program's. The kernel kills the program when the
            // thread that started it is gone, hence the spawner's thread that lives as long as this process.
            process.executableURL = URL(fileURLWithPath: setpriv)
            process.arguments = ["--pdeathsig", "KILL", path] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
        }
        process.environment = environment
        let descriptor = open(logFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let log = descriptor < 0 ? nil : FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        process.standardOutput = log ?? FileHandle.nullDevice
        process.standardError = log ?? FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let exit = ExitSignal()
        process.terminationHandler = { _ in exit.fire() }
        do {
            try process.run()
        } catch {
            throw ServingError(
                "\(path) cannot be started (\(error.localizedDescription))", advice: "see that it can be run")
        }
        try? log?.close()
        pid = process.processIdentifier
        self.exit = exit
    }

    var isRunning: Bool { !exit.hasFired }

    func send(_ signal: Int32) {
        if isRunning { kill(pid, signal) }
    }

    func waitForExit() async {
        await exit.wait()
    }

    /// Asks it to end, and makes it end when it has not after a while.
    func stop(grace: Duration) async {
        send(SIGTERM)
        let killer = Task {
            try await Task.sleep(for: grace)
            send(SIGKILL)
        }
        await exit.wait()
        killer.cancel()
    }
}

/// Fires once; any number may wait.
private final class ExitSignal: Sendable {
    private struct State {
        var hasFired = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var hasFired: Bool { state.withLock { $0.hasFired } }

    func fire() {
        let waiting = state.withLock { state in
            state.hasFired = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.hasFired { state.waiting.append(continuation) }
                return state.hasFired
            }
            if isOver { continuation.resume() }
        }
    }
}

/// The thread that starts all children and never ends.
private final class Spawner: Sendable {
    static let shared = Spawner()

    private let work = Mutex<[@Sendable () -> Void]>([])
    private let signal = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { [self] in
            while true {
                signal.wait()
                let next = work.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                next?()
            }
        }
        thread.name = "spawner"
        thread.start()
    }

    func perform(_ block: @escaping @Sendable () -> Void) {
        work.withLock { $0.append(block) }
        signal.signal()
    }
}
