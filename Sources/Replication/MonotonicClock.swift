// The one clock by which waits and ages are measured; wall clocks jump.

import NIOCore

extension EventLoop {
    /// Nanoseconds from some fixed point of this boot; the same on all loops of a process.
    package var monotonicNanoseconds: Int64 { Int64(clamping: now.uptimeNanoseconds) }
}
