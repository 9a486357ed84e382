// TCP as far as a gateway can tell: bytes in order, after a while, until the connection breaks, and each side learns of
// the end at another time, or never.

import NIOCore
import NodeClient

/// What stands at the other end of the gateway's connections: a node, or a client.
package protocol ConnectionPeer: AnyObject {
    func received(_ bytes: ByteBuffer, on connection: SimulatedConnection)
    /// The gateway has closed, or its host is gone and TCP found out.
    func closed(_ connection: SimulatedConnection)
}

/// The way between the gateway and one other host.
/// Sendable as ``Scheduler`` is.
package final class Link: @unchecked Sendable {
    let scheduler: Scheduler
    /// Of each packet, in nanoseconds.
    package var delay: ClosedRange<Int64> = 50 * microsecond...300 * microsecond
    package private(set) var isCut = false
    private var held: [() -> Void] = []
    private var connections: [Int: SimulatedConnection] = [:]
    private var nextID = 0

    package init(scheduler: Scheduler) { self.scheduler = scheduler }

    /// Nothing passes any more. After `patience` TCP gives up at the gateway's side.
    package func cut(patience: Int64) {
        guard !isCut else { return }
        isCut = true
        for connection in sorted {
            scheduler.after(patience) { [weak self] in
                if self?.isCut == true { connection.breakAtGateway("Operation timed out") }
            }
        }
    }

    package func heal() {
        isCut = false
        let waiting = held
        held = []
        for pass in waiting { scheduler.after(scheduler.random.time(delay), pass) }
    }

    private var sorted: [SimulatedConnection] {
        connections.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Every connection of the link ends at the gateway's side, and perhaps later at the other.
    package func breakAll(peersNotice: Bool) {
        for connection in sorted {
            connection.breakAtGateway("Connection reset by peer")
            if peersNotice { connection.breakAtPeer(after: scheduler.random.time(microsecond...2 * second)) }
        }
    }

    /// The host at the other end lost its process: the kernel tells the gateway.
    package func peerDied() {
        for connection in sorted { connection.peerCloses(isReset: scheduler.random.chance(50)) }
    }

    /// The gateway's process is gone.
    package func gatewayDied(isPowerLoss: Bool) {
        for connection in sorted { connection.gatewayDied(isPowerLoss: isPowerLoss) }
    }

    fileprivate func add(_ connection: SimulatedConnection) -> Int {
        nextID += 1
        connections[nextID] = connection
        return nextID
    }

    fileprivate func remove(_ id: Int) { connections[id] = nil }

    /// Does it when a packet that leaves now has arrived, not before `earliest`. On a link that is cut it is lost, and sent
    /// again once the link is whole.
    fileprivate func pass(
        notBefore earliest: inout Int64, lost: @escaping () -> Void = {}, _ arrive: @escaping () -> Void
    ) {
        earliest = max(earliest + 1, scheduler.now + scheduler.random.time(delay))
        scheduler.at(earliest) { [weak self] in
            guard let self else { return }
            guard isCut else { return arrive() }
            lost()
            held.append(arrive)
        }
    }
}

/// Sendable as ``Scheduler`` is.
package final class SimulatedConnection: @unchecked Sendable {
    package let link: Link
    private var id = 0
    private let loop: SimulatedEventLoop
    private var channel: SimulatedChannel?
    private weak var peer: (any ConnectionPeer)?
    private var gatewayGone = false
    private var peerGone = false
    private var lastToPeer: Int64 = 0
    private var lastToGateway: Int64 = 0

    /// - Parameter loop: the gateway's, on which the channel lives.
    package init(link: Link, loop: SimulatedEventLoop, peer: any ConnectionPeer) {
        self.link = link
        self.loop = loop
        self.peer = peer
        channel = SimulatedChannel(eventLoop: loop, connection: self)
        id = link.add(self)
    }

    package var gatewayChannel: SimulatedChannel? { channel }
    package var isOpenForPeer: Bool { !peerGone }

    // MARK: The gateway's side

    func gatewaySends(_ bytes: ByteBuffer) {
        guard !gatewayGone else { return }
        var wasLost = false
        link.pass(notBefore: &lastToPeer, lost: { wasLost = true }) { [self] in
            // A socket that is reset sends nothing again (SO_LINGER of 0 towards nodes).
            if wasLost, gatewayGone { return }
            if !peerGone { peer?.received(bytes, on: self) }
        }
    }

    func gatewayEndsSending() {}

    func gatewayClosed() {
        guard !gatewayGone else { return }
        gatewayGone = true
        channel = nil
        link.pass(notBefore: &lastToPeer) { [self] in endAtPeer() }
    }

    func breakAtGateway(_ reason: String) {
        loop.run { [self] in
            guard let channel else { return }
            gatewayGone = true
            self.channel = nil
            channel.end(IOError(errnoCode: reason.contains("timed out") ? 110 : 104, reason: reason))
        }
    }

    func gatewayDied(isPowerLoss: Bool) {
        guard !gatewayGone else { return }
        gatewayGone = true
        channel = nil
        // Without power nobody says goodbye; the other side's TCP finds out much later, if it sends.
        guard !isPowerLoss else { return breakAtPeer(after: link.scheduler.random.time(second...30 * second)) }
        link.pass(notBefore: &lastToPeer) { [self] in endAtPeer() }
    }

    // MARK: The other side

    package func peerSends(_ bytes: ByteBuffer) {
        guard !peerGone else { return }
        link.pass(notBefore: &lastToGateway) { [self] in
            loop.run { [self] in channel?.receive(bytes) }
        }
    }

    package func peerCloses(isReset: Bool = false) {
        guard !peerGone else { return }
        peerGone = true
        link.pass(notBefore: &lastToGateway) { [self] in
            loop.run { [self] in
                let ended = channel
                if isReset { channel = nil }
                ended?.end(isReset ? IOError(errnoCode: 104, reason: "Connection reset by peer") : nil)
            }
        }
        if gatewayGone { link.remove(id) }
    }

    func breakAtPeer(after delay: Int64) {
        link.scheduler.after(delay) { [self] in endAtPeer() }
    }

    private func endAtPeer() {
        if !peerGone {
            peerGone = true
            peer?.closed(self)
        }
        if gatewayGone { link.remove(id) }
    }
}

/// The gateway's way to its nodes.
package final class SimulatedConnector: NodeConnector, @unchecked Sendable {
    /// By host name. Sendable as ``Scheduler`` is.
    private let nodes: [String: SimulatedNode]
    private let scheduler: Scheduler

    package init(nodes: [String: SimulatedNode], scheduler: Scheduler) {
        self.nodes = nodes
        self.scheduler = scheduler
    }

    package func connect(
        to address: NodeAddress, limits: NodePoolLimits, on eventLoop: any EventLoop,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        guard let node = nodes[address.host], let loop = eventLoop as? SimulatedEventLoop else {
            return eventLoop.makeFailedFuture(ChannelError.unknownLocalAddress)
        }
        let promise = loop.makePromise(of: (any Channel).self)
        let attempt = NIOLoopBound(promise, eventLoop: loop)
        let link = node.link
        // A SYN that is lost is sent again; the gateway's own limit is shorter.
        guard !link.isCut else {
            scheduler.after(limits.connectTimeout.nanoseconds) {
                loop.run { attempt.value.fail(ChannelError.connectTimeout(limits.connectTimeout)) }
            }
            return promise.futureResult
        }
        scheduler.after(2 * scheduler.random.time(link.delay)) {
            loop.run {
                guard node.isRunning else {
                    return attempt.value.fail(IOError(errnoCode: 111, reason: "connect"))
                }
                let connection = SimulatedConnection(link: link, loop: loop, peer: node)
                node.accepted(connection)
                guard let channel = connection.gatewayChannel else { return }
                initialize(channel).whenComplete { result in
                    switch result {
                    case .failure(let error): attempt.value.fail(error)
                    case .success:
                        channel.activate()
                        attempt.value.succeed(channel)
                    }
                }
            }
        }
        return promise.futureResult
    }
}
