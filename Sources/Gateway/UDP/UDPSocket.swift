// What Linux says of a UDP socket beyond what every socket has: how full its buffer is and what it lost.

import Glibc
import NIOCore

struct UDPSocket {
    /// Of Linux' `SO_MEMINFO` (socket(7), since 4.12).
    struct Memory: Sendable {
        /// Bytes that are received and not read, with the system's own overhead.
        var received: UInt32
        /// Bytes that fit, likewise.
        var room: UInt32
        /// Datagrams for which there was none; wraps.
        var drops: UInt32
    }

    /// As the system writes it: nine 32-bit figures.
    private struct Figures: Sendable {
        var received: UInt32 = 0
        var room: UInt32 = 0
        var sending: UInt32 = 0
        var sendRoom: UInt32 = 0
        var forward: UInt32 = 0
        var queued: UInt32 = 0
        var options: UInt32 = 0
        var backlog: UInt32 = 0
        var drops: UInt32 = 0
    }

    private static let memoryFigures = NIOBSDSocket.Option(rawValue: 55)
    private static let forcedReceiveBuffer = NIOBSDSocket.Option(rawValue: 33)
    private let channel: any Channel

    init(_ channel: any Channel) { self.channel = channel }

    /// On the channel's event loop, before this returns; nil: the system does not say.
    func memory(_ then: @escaping (Memory?) -> Void) {
        guard let provider = channel as? any SocketOptionProvider else { return then(nil) }
        let figures: EventLoopFuture<Figures> = provider.unsafeGetSocketOption(
            level: .socket, name: Self.memoryFigures)
        figures.assumeIsolated().whenComplete { result in
            let figures = try? result.get()
            then(figures.map { Memory(received: $0.received, room: $0.room, drops: $0.drops) })
        }
    }

    /// Beyond the system's limit, if this process may; if not, nothing changes.
    func forceReceiveBuffer(_ bytes: Int) -> EventLoopFuture<Void> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        return provider.unsafeSetSocketOption(
            level: .socket, name: Self.forcedReceiveBuffer, value: CInt(clamping: bytes)
        ).flatMapErrorThrowing { _ in }
    }
}
