// How a client connection ends: after its last answer, cut, or by a time limit.
import Glibc
import NIOCore

extension HTTPConnection {
    /// Nothing more is answered: sends what is written, then the end, and reads on for a moment. Closing at once would
    /// reset a connection on which bytes are unread, and the reset can destroy the answer on its way.
    func beginLingering() {
        guard phase != .lingering, phase != .closed else {
            return
        }
        phase = .lingering
        progressAt = loop.now
        decoder.discard()
        flush()
        guard let context else {
            return
        }
        if isInputClosed {
            closeWhenWritten()
            return
        }
        let outputClosed = context.eventLoop.makePromise(of: Void.self)
        outputClosed.futureResult.assumeIsolated().whenComplete { _ in
            self.isOutputClosed = true
            if self.isInputClosed {
                self.close()
            }
        }
        context.close(mode: .output, promise: outputClosed)
        readIfHeldBack()
    }

    func closeWhenWritten() {
        guard let context, phase != .closed else {
            return
        }
        phase = .lingering
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.close()
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
    }

    func close() {
        context?.close(promise: nil)
    }

    /// Closes with a reset: a body that ends with the connection must not look complete.
    func cut() {
        (context?.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            .whenComplete { _ in }
        if let socketEnd { socketEnd.close() } else { close() }
    }

    /// Ends a connection in the middle of an answer. A missing last chunk shows by itself; then what was written before
    /// may still arrive.
    func abort(framing: BodyFraming?) {
        switch framing {
        case .chunked, .length:
            flush()
            close()
        case .some(.none), .untilClose, nil:
            cut()
        }
    }

    /// A connection that has carried no request yet was just made, and its first one may be on its way: it is not cut off.
    /// The sweep ends it when nothing comes.
    func closeIfIdle() {
        if phase == .waiting, !decoder.hasUnread, !isReading, hasCarriedRequest || isHandshaking {
            close()
        }
    }

    func hasClosed() {
        guard phase != .closed else {
            return
        }
        phase = .closed
        decoder.discard()
        if exchange != nil {
            loop.figures.requestsAbandoned.add(1, ordering: .relaxed)
        }
        endExchange()?.clientLeft()
        loop.remove(self)
    }

    // MARK: Time

    /// Looks at all time limits. The sweep is the only clock: a limit is exact to one `sweepInterval`.
    func sweep(now: NIODeadline) {
        let limits = loop.limits
        let unwritten = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if unwritten > 0, !isHandshaking {
            if bytesQueued - unwritten != bytesTaken {
                bytesTaken = bytesQueued - unwritten
                bytesTakenAt = now
            } else if now - bytesTakenAt >= limits.writeProgressTimeout {
                timedOut()
                cut()
            }
            if phase == .lingering {
                progressAt = now
            }
            return
        }
        bytesTaken = bytesQueued
        bytesTakenAt = now
        switch phase {
        case .waiting where isHandshaking:
            if now - progressAt >= limits.headTimeout {
                timedOut()
                cut()
            }
        case .waiting:
            if let headStartedAt {
                if now - headStartedAt >= limits.headTimeout {
                    timedOut()
                    refuse("408 Request Timeout")
                }
            } else if now - progressAt >= limits.idleTimeout || loop.hasDrained(for: limits.lingerTimeout, now: now) {
                close()
            }
        case .exchange where !isBodyComplete && !isPausedByEndpoint:
            if now - progressAt >= limits.bodyProgressTimeout {
                timedOut()
                endExchange(with: .error(408, "the request body did not arrive in time"))
            }
        case .discarding:
            if now - progressAt >= limits.bodyProgressTimeout {
                beginLingering()
            }
        case .lingering:
            if now - progressAt >= limits.lingerTimeout {
                close()
            }
        case .exchange, .closed:
            break
        }
    }

    func timedOut() {
        loop.figures.timeouts.add(1, ordering: .relaxed)
    }
}
