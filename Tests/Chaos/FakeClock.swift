// The clock of the gateway alone, set as an operator or a time server sets it: a few lines of C before its libc.

import Foundation
import TestSupport

/// The time of day jumps, the monotonic clock goes on as it is, as on a machine whose time is set. (Debian's libfaketime
/// 0.9.10 also shifts timers on the monotonic clock, which then never fire: wolfcw/libfaketime issue 378. And InfluxDB,
/// written in Go, asks the kernel past any library, so nodes have no such clock.)
struct FakeClock: Sendable {
    private let library: URL
    /// Eight bytes: seconds ahead of the real time, in this machine's byte order. The library maps the file.
    private let file: URL

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static volatile int64_t *ahead;

        __attribute__((constructor)) static void start(void) {
            const char *path = getenv("FAKE_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return;
            void *page = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
            if (page != MAP_FAILED) ahead = page;
            close(file);
        }

        int clock_gettime(clockid_t clock, struct timespec *now) {
            long result = syscall(SYS_clock_gettime, clock, now);
            if (result == 0 && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
            return (int)result;
        }

        int gettimeofday(struct timeval *restrict now, void *restrict zone) {
            (void)zone;
            struct timespec precise;
            clock_gettime(CLOCK_REALTIME, &precise);
            now->tv_sec = precise.tv_sec;
            now->tv_usec = precise.tv_nsec / 1000;
            return 0;
        }

        time_t time(time_t *result) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (result) *result = now.tv_sec;
            return now.tv_sec;
        }
        """

    /// Why there is no such clock here; nil when there is.
    static var obstacle: String? { FailingSync.compiler == nil ? "there is no C compiler" : nil }

    init(folder: URL) async throws {
        guard let compiler = FailingSync.compiler else { throw TestFailure("there is no C compiler") }
        library = folder.appendingPathComponent("fake-clock.so")
        file = folder.appendingPathComponent("clock")
        let source = folder.appendingPathComponent("fake-clock.c")
        try Self.source.write(to: source, atomically: true, encoding: .utf8)
        try await Tool(logFolder: folder).run([compiler, "-O1", "-shared", "-fPIC", "-o", library.path, source.path])
        try Data(repeating: 0, count: 8).write(to: file)
    }

    /// For the program that is to have the clock.
    var environment: [String: String] { ["LD_PRELOAD": library.path, "FAKE_CLOCK": file.path] }

    /// Ahead of the real time by so many seconds, at once.
    func jump(to seconds: Int) throws {
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        // In place: the running program has this very file mapped.
        try handle.write(contentsOf: withUnsafeBytes(of: Int64(seconds)) { Data($0) })
    }
}
