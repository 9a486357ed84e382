// SIGTERM and SIGINT end the process gracefully, however it was started.
import Foundation

enum StopSignals {
    /// A shell starts background jobs with SIGINT ignored, and what is ignored at the start never arrives. Whoever sends
    /// it to this process means it.
    static func listen() {
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
    }
}
