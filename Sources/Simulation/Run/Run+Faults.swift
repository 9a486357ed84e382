// What each kind of fault does to the world.

import Cluster
import CommitLog
import NIOCore
import SimulatedDisk

extension Run {
    func strike(_ fault: Fault) {
        note("\(fault)")
        outcome.faults += 1
        var random = SplitMix(seed: fault.salt)
        let node = nodes[fault.node]
        switch fault.kind {
        case .gatewayKilled:
            gateway.kill()
            startGatewaySoon()
        case .gatewayLosesPower:
            gateway.kill(isPowerLoss: true)
            startGatewaySoon()
        case .gatewayCrashesWithinWrite:
            // Between any two calls, at any time or while a segment begins.
            let steps = Int.random(in: 1...12, using: &random)
            let isBeginning = random.chance(50)
            gateway.disk.disk.withLock {
                if isBeginning { $0.crashAfterNewSegment = steps / 2 } else { $0.crashAtStep = $0.steps + steps }
            }
        case .gatewayHangs:
            gateway.stop()
            after(fault) { [unowned self] in gateway.goOn() }
        case .nodeKilled:
            kill(fault.node, for: fault.duration)
        case .nodeLosesPower:
            kill(fault.node, for: fault.duration, isPowerLoss: true)
        case .allNodesLosePower:
            // And come back one after the other: no two servers start in the same nanosecond.
            for index in nodes.indices {
                let downtime = fault.duration * Int64.random(in: 1...3, using: &random) + Int64(index) * millisecond
                kill(index, for: downtime, isPowerLoss: true)
            }
        case .nodeFlaps:
            for turn in 0..<Int64(random.next() % 4 + 2) {
                scheduler.after(turn * 400 * millisecond) { [unowned self] in
                    if !isCalm { kill(fault.node, for: 150 * millisecond) }
                }
            }
        case .nodeHangs:
            node.stop()
            after(fault) { node.goOn() }
        case .nodeSlow:
            // Long enough to use up its delay budget.
            node.temper.serviceTime = 5 * millisecond...800 * millisecond
            after(fault, times: 3) { node.temper.serviceTime = SimulatedNode.Temper().serviceTime }
        case .nodeRefuses:
            node.temper.refuses = random.pick([5, 50, 100])
            node.temper.refusalStatuses = random.pick([
                [503], [500], [429], [502, 504], [401], [404], [403], [500, 503],
            ])
            after(fault) { node.temper.refuses = 0 }
        case .nodeTimesOut:
            node.temper.timesOut = random.pick([5, 30, 100])
            after(fault) { node.temper.timesOut = 0 }
        case .nodeBreaksConnections:
            node.temper.breaksConnections = random.pick([2, 20, 60])
            after(fault) { node.temper.breaksConnections = 0 }
        case .nodeRolledBack:
            rollBack(fault.node, for: fault.duration, isWipe: false)
        case .nodeWiped:
            rollBack(fault.node, for: fault.duration, isWipe: true)
        case .nodeDamaged:
            damage(fault.node, random.next(), for: fault.duration)
        case .linkCut:
            node.link.cut(patience: 25 * second)
            after(fault) { node.link.heal() }
        case .linkReset:
            node.link.breakAll(peersNotice: random.chance(50))
        case .linkSlow:
            node.link.delay = millisecond...400 * millisecond
            after(fault) { node.link.delay = 50 * microsecond...300 * microsecond }
        case .clientsCut:
            gateway.clients.cut(patience: 25 * second)
            after(fault) { [unowned self] in gateway.clients.heal() }
        case .diskFull:
            gateway.disk.disk.withLock { $0.capacity = $0.used + Int(random.next() % 100_000) }
            after(fault) { [unowned self] in gateway.disk.disk.withLock { $0.capacity = .max } }
        case .diskSlow:
            gateway.syncTime = 5 * millisecond...500 * millisecond
            after(fault) { [unowned self] in gateway.syncTime = 100 * microsecond...2 * millisecond }
        case .syncFails:
            failNextSync()
        case .diskRots:
            rot(&random)
        case .diskLies:
            hasLied = true
            gateway.disk.disk.withLock { $0.liesAboutSyncs = true }
            after(fault) { [unowned self] in
                gateway.kill(isPowerLoss: true)
                gateway.disk.disk.withLock { $0.liesAboutSyncs = false }
                startGatewaySoon()
            }
        case .nodePaused:
            pause(fault)
        case .gatewayClockJumps:
            gateway.clock.offset += Int64.random(in: -600...600, using: &random) * second
        case .nodeClockJumps:
            node.clockOffset += Int64.random(in: -600...600, using: &random) * second
        }
    }

    private func after(_ fault: Fault, times factor: Int64 = 1, _ end: @escaping () -> Void) {
        scheduler.after(factor * fault.duration) { [unowned self] in
            guard !isCalm else { return }
            note("\(fault.kind) of fault \(fault.number) ends")
            end()
        }
    }

    private func kill(_ index: Int, for downtime: Int64, isPowerLoss: Bool = false) {
        let node = nodes[index]
        guard node.isRunning else { return }
        node.kill(isPowerLoss: isPowerLoss)
        scheduler.after(downtime) { node.start() }
    }

    /// The node comes back with an older copy of its data, or with none; only while another node has everything.
    private func rollBack(_ index: Int, for downtime: Int64, isWipe: Bool) {
        let node = nodes[index]
        guard node.isRunning, wholeNode(besides: index) != nil else { return }
        tampered.insert(index)
        node.kill()
        let backup = isWipe ? nil : backups[index]
        note("\(node.name) will come back \(isWipe ? "empty" : "with an older copy of its data")")
        scheduler.after(downtime) { [unowned self] in
            guard !node.isRunning else { return }
            node.replaceDisk(with: backup)
            node.start()
            note("\(node.name) is back")
        }
    }

    /// The node is killed at a bad moment, and comes back without one of its shards; only while another node has everything, and
    /// once the gateway has seen what this one has: of a shard that it never saw open it cannot know that it was.
    private func damage(_ index: Int, _ number: UInt64, for downtime: Int64) {
        let node = nodes[index]
        guard node.isRunning, !tampered.contains(index), wholeNode(besides: index) != nil else { return }
        tampered.insert(index)
        node.kill()
        // Not within the note: that is only put into words when somebody reads the story.
        let shard = node.server.damageShard(number, .index)
        note("\(node.name) cannot open \(shard ?? "nothing") any more")
        scheduler.after(downtime) { node.start() }
    }

    private func pause(_ fault: Fault) {
        guard let server = gateway.life?.server else { return }
        paused[fault.node] = scheduler.now + fault.duration
        _ = server.control.pause(
            NodeIndex(fault.node), asFailure: fault.salt % 2 == 0, for: .nanoseconds(fault.duration))
    }

    /// A byte of an older segment is another one from now on; only while a node in sync has everything.
    private func rot(_ random: inout SplitMix) {
        guard let life = gateway.life, let snapshot,
            snapshot.readSet.contains(where: {
                !tampered.contains(Int($0.value))
                    && life.log.durableCursors[nodes[Int($0.value)].name] == life.log.durableEnd
            }), let name = gateway.disk.segmentNames.dropLast().randomElement(using: &random)
        else { return }
        note("rot in \(name)")
        hasRotted = true
        let (place, bit) = (random.next(), UInt8(1) << UInt8(random.next() % 8))
        gateway.disk.corrupt(name) { bytes in
            if !bytes.isEmpty { bytes[Int(place % UInt64(bytes.count))] ^= bit }
        }
    }

    /// One sync fails, with EIO: nothing of it counts, and it is not tried again.
    private func failNextSync() {
        let isDone = Once()
        gateway.disk.fail { operation, _ in
            guard operation == .sync, isDone.first() else { return nil }
            return 5
        }
    }
}

/// True the first time. Sendable as ``Scheduler`` is.
private final class Once: @unchecked Sendable {
    private var isOver = false

    func first() -> Bool {
        defer { isOver = true }
        return !isOver
    }
}
