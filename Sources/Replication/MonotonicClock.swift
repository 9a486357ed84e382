// The one clock by which waits and ages are measured; wall clocks jump.

import NIOCore

package enum MonotonicClock {
    /// Nanoseconds from some fixed point of this boot.
    package static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }
}
