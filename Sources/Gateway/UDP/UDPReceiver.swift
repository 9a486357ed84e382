// Datagrams of one listener into batches, batches into the log: by size, by time, and at the end.

import NIOCore
import NIOPosix

/// Confined to the event loop of its channel.
final class UDPReceiver: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let settings: UDPSettings
    private let context: LoopContext
    private let figures: UDPFigures
    private let reports: UDPReports
    private let writer: UDPWriter
    private let socket: UDPSocket
    private var batch: UDPBatch
    private var flushing: Scheduled<Void>?
    private var ticks: RepeatedTask?
    private var lost: UInt32 = 0
    private var stopping: (promise: EventLoopPromise<Void>, deadline: NIODeadline)?

    /// How long a stop goes on reading what the system has already received; a sender that never pauses does not hold
    /// it up.
    private static let drainTime = TimeAmount.seconds(1)

    init(_ settings: UDPSettings, channel: any Channel, context: LoopContext, figures: UDPFigures) {
        self.settings = settings
        self.context = context
        self.figures = figures
        reports = UDPReports(logger: context.logger) { figures.address }
        writer = UDPWriter(settings, context: context, figures: figures, reports: reports)
        socket = UDPSocket(channel)
        batch = UDPBatch(precision: settings.precision, maximumLines: settings.batchSize)
    }

    func channelActive(context: ChannelHandlerContext) {
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        ticks = context.eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .seconds(1)) { _ in
            here.value.tick()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = unwrapInboundIn(data).data
        figures.datagrams.add(1)
        figures.bytes.add(datagram.readableBytes)
        let arrival = self.context.log.clock.wallNanoseconds()
        let taken = datagram.withUnsafeReadableBytes { batch.add($0, arrival: arrival) }
        if taken.badLines > 0 {
            figures.badLines.add(taken.badLines)
            reports.add(taken.badLines, "parse", taken.reason ?? "not line protocol")
        }
        if batch.isFull { return flush() }
        guard flushing == nil, !batch.isEmpty else { return }
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        flushing = context.eventLoop.scheduleTask(in: settings.batchTimeout) { here.value.flush() }
    }

    /// A datagram that is too large for us, say: none of them ends the listener.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reports.add(1, "receive", "\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) {
        ticks?.cancel()
        flush()
        writer.stop()
        reports.tell(now: .distantFuture)
        stopping?.promise.succeed()
        stopping = nil
    }

    private func flush() {
        flushing?.cancel()
        flushing = nil
        writer.write(batch)
        batch.removeAll()
    }

    private func tick() {
        writer.look()
        countLost()
        reports.tell(now: context.eventLoop.now)
    }

    private func countLost() {
        socket.memory { [self] memory in
            guard let memory else { return }
            // The system's counter has 32 bits and wraps.
            let more = Int(memory.drops &- lost)
            lost = memory.drops
            guard more > 0 else { return }
            figures.lostDatagrams.add(more)
            reports.add(
                more, "kernel",
                "datagrams came faster than they were read: raise read_buffer and net.core.rmem_max, or use several "
                    + "listeners")
        }
    }

    // MARK: The end

    /// Reads what the system has received, logs what is batched, and closes.
    func stop(_ channel: any Channel) -> EventLoopFuture<Void> {
        let promise = context.eventLoop.makePromise(of: Void.self)
        stopping = (promise, context.eventLoop.now + Self.drainTime)
        closeWhenEmpty(channel, looks: 0)
        return promise.futureResult
    }

    private func closeWhenEmpty(_ channel: any Channel, looks: Int) {
        socket.memory { [self] memory in
            // The first look may come before the turn in which the last datagrams are read.
            let isEmpty = looks > 0 && (memory?.received ?? 0) == 0
            guard let stopping else { return }
            if isEmpty || context.eventLoop.now >= stopping.deadline {
                countLost()
                return channel.close(promise: nil)
            }
            let here = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(2)) {
                here.value.closeWhenEmpty(channel, looks: looks + 1)
            }
        }
    }
}
