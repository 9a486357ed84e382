// What an operator can change over the admin API: each action checks what it can before it asks the data plane.
import Foundation
import Hummingbird
import Logging

struct AdminActions: Sendable {
    let control: any GatewayControl
    let changes: DeadLetterChanges
    let logger: Logger

    func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/api/v1/nodes/:name/pause") { request, context in
            await answer { () async throws(ControlRefusal) in
                try await pause(try name(in: context), try await PauseRequest.read(request))
            }
        }
        router.post("/api/v1/nodes/:name/resume") { request, context in
            await answer { () async throws(ControlRefusal) in
                let name = try name(in: context)
                _ = try await ResumeRequest.read(request)
                try await control.resume(node: name)
                logger.notice("an operator resumed a node", metadata: ["node": "\(name)"])
                return AdminMessage(message: "\(name) is resumed: it gets its backlog, then it is in-sync again")
            }
        }
        router.post("/api/v1/nodes/:name/trust") { request, context in
            await answer { () async throws(ControlRefusal) in
                let name = try name(in: context)
                let wish = try await TrustRequest.read(request)
                let message = try await control.trust(node: name, dryRun: wish.dryRun)
                if !wish.dryRun {
                    logger.notice("an operator trusts a node", metadata: ["node": "\(name)", "done": "\(message)"])
                }
                return AdminMessage(message: message)
            }
        }
        router.post("/api/v1/deadletters/retry") { request, _ in
            do {
                let wish = try await RetryRequest.read(request)
                return try await retry(wish)
            } catch {
                return failure(error)
            }
        }
        router.post("/api/v1/deadletters/purge") { request, _ in
            do {
                let wish = try await PurgeRequest.read(request)
                return try await purge(wish)
            } catch {
                return failure(error)
            }
        }
    }

    // MARK: Nodes

    private func name(in context: BasicRequestContext) throws(ControlRefusal) -> String {
        let name = (context.parameters.get("name") ?? "").removingPercentEncoding ?? ""
        let known = control.nodeStatus().map(\.name)
        guard known.contains(name) else {
            throw ControlRefusal(404, "there is no node \"\(name)\"; there are \(known.joined(separator: ", "))")
        }
        return name
    }

    private func pause(_ name: String, _ wish: PauseRequest) async throws(ControlRefusal) -> AdminMessage {
        if let seconds = wish.forSeconds, !(1...PauseRequest.longest).contains(seconds) {
            throw ControlRefusal(400, "for_seconds is a number from 1 to \(PauseRequest.longest)")
        }
        let inSync = control.nodeStatus().filter(\.isInSync).map(\.name)
        guard wish.force == true || inSync != [name] else {
            throw ControlRefusal(
                409,
                "\(name) is the only node in-sync: without it reads are stale or refused, and writes wait in the log. "
                    + "Wait until another is in-sync (sluice status), or insist with --force")
        }
        let asFailure = wish.asFailure == true
        let duration = wish.forSeconds.map { Duration.seconds($0) }
        try await control.pause(node: name, asFailure: asFailure, for: duration)
        logger.notice(
            "an operator paused a node",
            metadata: [
                "node": "\(name)", "as_failure": "\(asFailure)",
                "for": "\(duration.map(DurationText.render) ?? "until it is resumed")",
            ])
        var message = "\(name) is paused"
        if asFailure { message += " as if it had failed" }
        message += ": it gets nothing and is not read, its backlog stays in the log"
        if let budget = control.logStatus().outageBudgetSeconds {
            message += " (which has room for \(StatusText.roughly(seconds: budget)) at this rate)"
        }
        message += duration.map { ". It goes on by itself in \(DurationText.render($0))" } ?? ""
        return AdminMessage(message: message + ". End it with: sluice nodes resume \(name)")
    }

    // MARK: Dead letters

    private func retry(_ wish: RetryRequest) async throws -> Response {
        if let fault = wish.selection.fault { throw ControlRefusal(400, fault) }
        if wish.dryRun {
            return AdminAnswer.json(.ok, try await changes.plan(wish.selection, credential: wish.credential))
        }
        let outcome = try await changes.retry(
            wish.selection, after: wish.after ?? 0, upTo: wish.upTo ?? .max, credential: wish.credential)
        logger.notice(
            "an operator retried dead letters",
            metadata: [
                "taken": "\(outcome.taken)", "refused_again": "\(outcome.refusedAgain)",
                "stopped": "\(outcome.stopped ?? "no")",
            ])
        return AdminAnswer.json(.ok, outcome)
    }

    private func purge(_ wish: PurgeRequest) async throws -> Response {
        if let fault = wish.selection.fault { throw ControlRefusal(400, fault) }
        let lines = try await changes.purge(wish.selection, dryRun: wish.dryRun)
        if !wish.dryRun { logger.notice("an operator purged dead letters", metadata: ["lines": "\(lines)"]) }
        return AdminAnswer.json(.ok, PurgeOutcome(lines: lines))
    }

    // MARK: Answers

    private func answer(_ work: () async throws(ControlRefusal) -> some Encodable) async -> Response {
        do {
            return AdminAnswer.json(.ok, try await work())
        } catch {
            return failure(error)
        }
    }

    private func failure(_ error: any Error) -> Response {
        if let refusal = error as? ControlRefusal {
            return AdminAnswer.error(.init(code: refusal.status), refusal.message)
        }
        logger.error("a change by an operator failed", metadata: ["error": "\(error)"])
        return AdminAnswer.error(.internalServerError, "\(error)")
    }
}
