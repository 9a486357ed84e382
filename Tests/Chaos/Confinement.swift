// Namespaces of our own for network, mounts and processes: whatever a run makes in them, the kernel removes when the
// run's first process ends, however it ends. Nothing has to be cleaned up, so nothing can be left behind.

import Dispatch
import Foundation
import Glibc
import Synchronization
import TestSupport

package enum Confinement {
    private static let mark = "INSIDE_CHAOS"

    package static var isInside: Bool { getenv(mark) != nil }

    /// The command that runs another one inside.
    private static var entrance: [String] {
        let base = [
            "/usr/bin/unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
        ]
        // Users may have namespaces as well, if the kernel lets them be root in one.
        return (geteuid() == 0 ? base : base + ["--user", "--map-root-user"]) + ["--"]
    }

    /// Why there is no confinement here; nil when there is.
    package static func obstacle() async -> String? {
        guard let ip = Tool.path(of: "ip"), Tool.path(of: "tc") != nil, Tool.path(of: "ss") != nil else {
            return "there is no `ip`, `tc` or `ss`: install iproute2"
        }
        do {
            let folder = try TemporaryFolder("sluice-chaos-probe")
            let probe = "mount -t tmpfs none \(folder.url.path) && \(ip) link add probe type veth"
            try await Tool(logFolder: folder.url).run(entrance + ["/bin/sh", "-c", probe])
            return nil
        } catch {
            return "namespaces are not to be had: \(error)"
        }
    }

    /// Runs this program with these arguments inside, and waits for its end. SIGINT and SIGTERM end it.
    package static func run(_ arguments: [String]) async throws -> Int32 {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let launch = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] + entrance + [program] + arguments
        let pid = Mutex<pid_t>(0)
        // Ending the first process inside ends all; its parent, which we know, does that when it is killed itself.
        let signals = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                let child = pid.withLock { $0 }
                if child > 0 { kill(child, SIGKILL) }
            }
            source.resume()
            return source
        }
        defer { for source in signals { source.cancel() } }
        return try await withCheckedThrowingContinuation { continuation in
            // The kernel's death signal is tied to the thread that starts a child: this one waits until its end.
            Thread {
                var child: pid_t = 0
                var argv: [UnsafeMutablePointer<CChar>?] = launch.map { strdup($0) } + [nil]
                setenv(mark, "1", 1)
                let failure = posix_spawn(&child, launch[0], nil, nil, &argv, environ)
                guard failure == 0 else {
                    return continuation.resume(
                        throwing: TestFailure("cannot start \(launch[0]): \(String(cString: strerror(failure)))"))
                }
                pid.withLock { $0 = child }
                var status: Int32 = 0
                while waitpid(child, &status, 0) != child {}
                pid.withLock { $0 = 0 }
                continuation.resume(returning: status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f)
            }.start()
        }
    }

    /// Removes the folders of runs that are no more.
    package static func removeLeftovers(in parent: URL) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
        for name in names where name.hasPrefix("sluice-chaos-") {
            let parts = name.split(separator: "-")
            guard parts.count == 3, let pid = pid_t(parts[2]), kill(pid, 0) != 0, errno == ESRCH else { continue }
            // What a violation left to be read stays.
            let folder = parent.appendingPathComponent(name)
            if FileManager.default.fileExists(atPath: folder.appendingPathComponent("timeline").path) { continue }
            try? FileManager.default.removeItem(at: folder)
        }
    }
}
