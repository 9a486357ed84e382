// A disk whose fsync fails from a moment on, for a program that knows nothing of tests: a few lines of C before its libc.

import Foundation

package struct FailingSync: Sendable {
    private let folder: TemporaryFolder
    private var library: URL { folder.url.appendingPathComponent("failing-sync.so") }
    private var trigger: URL { folder.url.appendingPathComponent("fails") }

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdlib.h>
        #include <unistd.h>

        static int fails(void) {
            const char *trigger = getenv("FAILING_SYNC_TRIGGER");
            return trigger && access(trigger, F_OK) == 0;
        }

        static int forward(const char *name, int file) {
            if (fails()) {
                errno = EIO;
                return -1;
            }
            int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
            return real(file);
        }

        int fsync(int file) { return forward("fsync", file); }
        int fdatasync(int file) { return forward("fdatasync", file); }
        """

    package static let compiler = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    package init() async throws {
        guard let compiler = Self.compiler else { throw TestFailure("there is no C compiler") }
        folder = try TemporaryFolder("sluice-failing-sync")
        let file = folder.url.appendingPathComponent("failing-sync.c")
        try Self.source.write(to: file, atomically: true, encoding: .utf8)
        let process = try ChildProcess(
            name: "cc", arguments: [compiler, "-shared", "-fPIC", "-o", library.path, file.path, "-ldl"],
            logFolder: folder.url)
        let status = try await process.waitForExit()
        guard status == .exited(0) else { throw TestFailure("\(compiler): \(status)\n\(process.log())") }
    }

    /// For the program that is to have the disk.
    package var environment: [String: String] {
        ["LD_PRELOAD": library.path, "FAILING_SYNC_TRIGGER": trigger.path]
    }

    /// From now on every fsync and fdatasync fails with EIO.
    package func fail() throws {
        try Data().write(to: trigger)
    }
}
