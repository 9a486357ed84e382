// The programs of a benchmark run: started with a folder for their output, measured through /proc, never left behind.

import Glibc

final class Child {
    let pid: pid_t
    private let outputPath: String
    private var hasEnded = false

    /// - Parameter arguments: the first is the path of the program. Output and errors go to `log`.
    init(_ arguments: [String], log: String) throws {
        outputPath = log
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&files, 1, 2)
        // The kernel ends the child with this process, however that ends; setpriv is part of util-linux.
        let launcher = "/usr/bin/setpriv"
        let whole = access(launcher, X_OK) == 0 ? [launcher, "--pdeathsig", "KILL", "--"] + arguments : arguments
        var argv: [UnsafeMutablePointer<CChar>?] = whole.map { strdup($0) } + [nil]
        let kept = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"].compactMap { (name: String) -> String? in
            guard let value = getenv(name) else { return nil }
            return "\(name)=\(String(cString: value))"
        }
        var envp: [UnsafeMutablePointer<CChar>?] = kept.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, whole[0], &files, nil, &argv, &envp)
        guard failure == 0 else { throw BenchError.system("cannot start \(arguments[0])", failure) }
        self.pid = pid
    }

    deinit {
        stop(SIGKILL)
    }

    var output: String { readFile(outputPath) ?? "" }

    /// Whether the program still runs; takes note of its end.
    var isRunning: Bool {
        if hasEnded { return false }
        var status: Int32 = 0
        hasEnded = waitpid(pid, &status, WNOHANG) == pid
        return !hasEnded
    }

    /// Sends the signal and waits for the end, ten seconds at most; then SIGKILL.
    func stop(_ number: Int32 = SIGTERM) {
        guard isRunning else { return }
        kill(pid, number)
        let patience = now() + 10_000_000_000
        while isRunning, now() < patience { usleep(2000) }
        guard isRunning else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        hasEnded = true
    }

    /// Waits for the program to end by itself; false when it does not within so many seconds.
    func waitForEnd(seconds: Double) -> Bool {
        let patience = now() + UInt64(seconds * 1e9)
        while isRunning, now() < patience { usleep(2000) }
        return !isRunning
    }

    /// User and system CPU seconds so far, all threads.
    var processorSeconds: Double {
        // The second field is the name in parentheses, which may hold spaces; utime and stime are the 12th and 13th
        // after it (proc(5)).
        guard let text = readFile("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return 0 }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The most memory that the program has held so far, in bytes.
    var peakResidentBytes: Int {
        let line = readFile("/proc/\(pid)/status")?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let digits = line?.filter(\.isNumber) ?? ""
        return (Int(digits) ?? 0) * 1024
    }
}

/// A small file, or nil when it cannot be read.
func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

func writeFile(_ path: String, _ text: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw BenchError.system("cannot write \(path)", errno) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
        throw BenchError.system("cannot write \(path)", errno)
    }
}

/// A new folder, removed with everything in it by `remove()` or at the latest with the last reference.
final class ScratchFolder {
    let path: String

    init(in parent: String) throws {
        path = "\(parent)/sluice-bench-\(getpid())-\(UInt32.random(in: .min ... .max))"
        guard mkdir(path, 0o700) == 0 else { throw BenchError.system("cannot create \(path)", errno) }
    }

    deinit {
        remove()
    }

    func remove() {
        Self.remove(path)
    }

    private static func remove(_ path: String) {
        // Symbolic links are not followed: `unlink` takes everything but a folder.
        guard unlink(path) != 0, let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { remove("\(path)/\(name)") }
        }
        closedir(folder)
        rmdir(path)
    }
}
