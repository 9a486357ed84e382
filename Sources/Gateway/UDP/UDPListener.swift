// One address at which points come as datagrams of line protocol, as in InfluxDB's [[udp]].

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

final class UDPListener: Sendable {
    private struct Open: Sendable {
        let channel: any Channel
        let receiver: NIOLoopBound<UDPReceiver>
    }

    let settings: UDPSettings
    let figures = UDPFigures()
    private let context: NIOLoopBound<LoopContext>
    private let logger: Logger
    private let open = NIOLockedValueBox<Open?>(nil)

    /// Read in one system call; each has room for the largest datagram.
    private static let datagramsPerRead = 32
    private static let largestDatagram = 64 << 10

    init(_ settings: UDPSettings, context: NIOLoopBound<LoopContext>, logger: Logger) {
        self.settings = settings
        self.context = context
        self.logger = logger
    }

    func bind() -> EventLoopFuture<Void> {
        let (settings, figures, context, logger) = (settings, figures, context, logger)
        let receiver = NIOLockedValueBox<NIOLoopBound<UDPReceiver>?>(nil)
        let open = open
        var bootstrap = DatagramBootstrap(group: context.eventLoop)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: Self.datagramsPerRead * Self.largestDatagram)
            )
            .channelOption(.datagramVectorReadMessageCount, value: Self.datagramsPerRead)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = UDPReceiver(settings, channel: channel, context: context.value, figures: figures)
                    receiver.withLockedValue { $0 = NIOLoopBound(handler, eventLoop: channel.eventLoop) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        if settings.readBuffer > 0 {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: settings.readBuffer)
        }
        return bootstrap.bind(host: settings.host, port: settings.port).flatMap { channel in
            let address = channel.localAddress
            figures.address = "\(address?.ipAddress ?? settings.host):\(address?.port ?? settings.port)"
            if let receiver = receiver.withLockedValue({ $0 }) {
                open.withLockedValue { $0 = Open(channel: channel, receiver: receiver) }
            }
            return Self.checkBuffer(of: channel, settings, figures, logger)
        }
    }

    /// Linux counts its own overhead, so it grants twice of what it says.
    private static func checkBuffer(
        of channel: any Channel, _ settings: UDPSettings, _ figures: UDPFigures, _ logger: Logger
    ) -> EventLoopFuture<Void> {
        channel.getOption(.socketOption(.so_rcvbuf)).flatMap { granted in
            let isEnough = Int(granted) / 2 >= settings.readBuffer
            let forced =
                isEnough
                ? channel.eventLoop.makeSucceededVoidFuture()
                : UDPSocket(channel).forceReceiveBuffer(settings.readBuffer)
            return forced.flatMap { channel.getOption(.socketOption(.so_rcvbuf)) }
        }.map { doubled in
            let granted = Int(doubled) / 2
            figures.readBuffer.store(granted, ordering: .relaxed)
            guard granted < settings.readBuffer else { return }
            logger.warning(
                "the system grants a UDP listener less buffer than it wants: datagrams are lost sooner under load",
                metadata: [
                    "listener": "\(figures.address)", "wanted": "\(settings.readBuffer)", "granted": "\(granted)",
                    "advice": "sysctl -w net.core.rmem_max=\(settings.readBuffer), or lower read_buffer",
                ])
        }
    }

    /// Reads what has come and hands it to the log, then closes.
    func stop() -> EventLoopFuture<Void> {
        let taken = open.withLockedValue { open in
            defer { open = nil }
            return open
        }
        guard let taken else { return context.eventLoop.makeSucceededVoidFuture() }
        return taken.receiver.eventLoop.flatSubmit { taken.receiver.value.stop(taken.channel) }
    }
}
