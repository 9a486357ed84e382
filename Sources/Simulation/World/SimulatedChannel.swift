// A socket of the gateway in a simulation: NIO's pipeline on one side, a simulated connection on the other.

import NIOCore

/// Confined to its loop; Sendable as ``Scheduler`` is.
package final class SimulatedChannel: Channel, ChannelCore, @unchecked Sendable {
    package let allocator = ByteBufferAllocator()
    package let eventLoop: any EventLoop
    private let connection: SimulatedConnection
    private let closePromise: EventLoopPromise<Void>
    private var pipelineOfOwn: ChannelPipeline?
    package private(set) var isActive = false
    private var isClosed = false
    private var wantsRead = false
    private var unflushed: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private var received: [ByteBuffer] = []
    private var hasEnded = false

    init(eventLoop: any EventLoop, connection: SimulatedConnection) {
        self.eventLoop = eventLoop
        self.connection = connection
        closePromise = eventLoop.makePromise(of: Void.self)
    }

    package var pipeline: ChannelPipeline {
        if let pipelineOfOwn { return pipelineOfOwn }
        let pipeline = ChannelPipeline(channel: self)
        pipelineOfOwn = pipeline
        return pipeline
    }

    package var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    package var localAddress: SocketAddress? { nil }
    package var remoteAddress: SocketAddress? { nil }
    package var parent: (any Channel)? { nil }
    package var isWritable: Bool { !isClosed }
    package var _channelCore: any ChannelCore { self }

    /// The connection is there.
    func activate() {
        guard !isClosed else { return }
        isActive = true
        pipeline.fireChannelRegistered()
        pipeline.fireChannelActive()
        pipeline.read()
        deliver()
    }

    /// Bytes from the other side.
    func receive(_ bytes: ByteBuffer) {
        guard !isClosed else { return }
        received.append(bytes)
        deliver()
    }

    /// The other side has closed, or the connection broke.
    func end(_ error: (any Error)?) {
        guard !isClosed else { return }
        hasEnded = true
        if let error {
            received = []
            pipeline.fireErrorCaught(error)
            closeNow(error)
        } else {
            deliver()
        }
    }

    private func deliver() {
        guard isActive else { return }
        while wantsRead, !isClosed, !received.isEmpty {
            wantsRead = false
            pipeline.fireChannelRead(received.removeFirst())
            pipeline.fireChannelReadComplete()
            if !isClosed { pipeline.read() }
        }
        if hasEnded, received.isEmpty, wantsRead, !isClosed { closeNow(ChannelError.eof) }
    }

    private func closeNow(_ error: any Error) {
        guard !isClosed else { return }
        isClosed = true
        let wasActive = isActive
        isActive = false
        let unsent = unflushed
        unflushed = []
        for piece in unsent { piece.promise?.fail(error) }
        connection.gatewayClosed()
        if wasActive { pipeline.fireChannelInactive() }
        pipeline.fireChannelUnregistered()
        closePromise.succeed()
        eventLoop.execute { [self] in
            // Also ends the cycle between pipeline and channel.
            removeHandlers(pipeline: pipeline)
        }
    }

    // MARK: ChannelCore

    package func localAddress0() throws -> SocketAddress { throw ChannelError.unknownLocalAddress }
    package func remoteAddress0() throws -> SocketAddress { throw ChannelError.unknownLocalAddress }
    package func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    package func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    package func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }
    package func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isClosed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        unflushed.append((unwrapData(data, as: ByteBuffer.self), promise))
    }

    package func flush0() {
        guard !isClosed, !unflushed.isEmpty else { return }
        let pieces = unflushed
        unflushed = []
        var bytes = ByteBuffer()
        for piece in pieces { bytes.writeImmutableBuffer(piece.bytes) }
        connection.gatewaySends(bytes)
        for piece in pieces { piece.promise?.succeed() }
    }

    package func read0() {
        wantsRead = true
        guard !received.isEmpty || hasEnded else { return }
        eventLoop.execute { [self] in deliver() }
    }

    package func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .output:
            connection.gatewayEndsSending()
        default:
            closeNow(error)
        }
        promise?.succeed()
    }

    package func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func channelRead0(_ data: NIOAny) {}
    package func errorCaught0(error: any Error) {}

    // MARK: Options

    package func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        eventLoop.makeSucceededVoidFuture()
    }

    package func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        eventLoop.makeCompletedFuture { try Options(channel: self).getOption(option) }
    }

    package var syncOptions: (any NIOSynchronousChannelOptions)? { Options(channel: self) }

    private struct Options: NIOSynchronousChannelOptions {
        let channel: SimulatedChannel

        func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {}

        func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
            let value: Any? =
                switch option {
                case is ChannelOptions.Types.AutoReadOption: true
                case is ChannelOptions.Types.BufferedWritableBytesOption:
                    channel.unflushed.reduce(0) { $0 + $1.bytes.readableBytes }
                default: nil
                }
            guard let value = value as? Option.Value else { throw ChannelError.operationUnsupported }
            return value
        }
    }
}
