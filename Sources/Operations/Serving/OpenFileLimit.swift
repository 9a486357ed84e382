// How many files this process may have open: each connection is one, and the 1,024 of a login are soon used up.

import Glibc
import Logging

enum OpenFileLimit {
    /// Raises the limit to what the system allows this process, and says so if that is less than it may come to need.
    static func raise(for configuration: Configuration, logger: Logger) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        let needed = configuration.limits.connections + reserve
        guard limit.rlim_cur < needed else { return }
        logger.warning(
            "this process may open fewer files than limits.connections needs",
            metadata: [
                "allowed": "\(limit.rlim_cur)", "needed": "\(needed)",
                "advice": "raise the limit (LimitNOFILE= in systemd, ulimit -n), or lower limits.connections",
            ])
    }

    /// For nodes, log and database.
    private static let reserve = 256
}
