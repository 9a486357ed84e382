// Runs a gateway from a configuration until it is told to stop: data plane, index of dead letters, admin listener.
import Foundation
import Logging
import ServiceLifecycle

package enum Serve {
    /// Returns after a graceful stop (SIGTERM, SIGINT); throws what ended the process otherwise.
    package static func run(
        configuration: Configuration, logger: Logger, stopsOnSignals: Bool = true,
        startDataPlane: (Configuration, Logger) async throws -> any DataPlane
    ) async throws {
        if stopsOnSignals { StopSignals.listen() }
        OpenFileLimit.raise(for: configuration, logger: logger)
        try prepare(dataDirectory: configuration.dataDirectory)
        let index = try DeadLetterIndex.openOrReplace(
            dataDirectory: configuration.dataDirectory, keptPerReason: configuration.limits.deadLetters, logger: logger)
        let token = try AdminToken(dataDirectory: configuration.dataDirectory)
        let dataPlane = try await startDataPlane(configuration, logger)
        let changes = DeadLetterChanges(index: index, source: dataPlane) { dataPlane.ownAddress }
        let admin = AdminServer(
            configuration: configuration, control: dataPlane, deadLetters: index, changes: changes, token: token,
            logger: logger,
            onListening: { address in
                logger.info(
                    "ready for clients",
                    metadata: [
                        "listen": "\(dataPlane.boundAddresses.joined(separator: " "))", "admin": "\(address)",
                        "nodes": "\(configuration.nodes.map { "\($0.name)=\($0.url)" }.joined(separator: " "))",
                        "data_dir": "\(configuration.dataDirectory)",
                    ])
            })
        let follower = DeadLetterFollower(source: dataPlane, index: index, logger: logger)
        // Stopped in reverse order: the index while the log is open, then the clients, the operator's view last.
        let services: [any Service] = [
            admin, DataPlaneService(dataPlane: dataPlane), follower,
            CertificateWatch(dataPlane: dataPlane, hearsSignals: stopsOnSignals),
        ]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { service in
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                },
                gracefulShutdownSignals: stopsOnSignals ? [.sigterm, .sigint] : [],
                logger: Logger(label: "sluice.lifecycle") { _ in SwiftLogNoOpLogHandler() }))
        do {
            try await group.run()
        } catch {
            await dataPlane.shutdown()
            throw error
        }
        logger.info("stopped")
    }

    /// Makes the data folder with mode 0700, or says what to do.
    package static func prepare(dataDirectory: String) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: dataDirectory, isDirectory: &isFolder) {
            guard isFolder.boolValue, access(dataDirectory, W_OK | X_OK) == 0 else {
                throw ServingError(
                    "the data folder \(dataDirectory) cannot be written",
                    advice: "let the gateway's user own it, or choose another with --data-dir")
            }
            return
        }
        do {
            try FileManager.default.createDirectory(
                atPath: dataDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ServingError(
                "the data folder \(dataDirectory) cannot be made",
                advice: "choose one you may write, with --data-dir DIR or data_dir")
        }
    }
}

/// Lives as long as the data plane; its failure ends the process.
private struct DataPlaneService: Service {
    let dataPlane: any DataPlane

    func run() async throws {
        let failure: ServingError? = await withTaskGroup(of: ServingError?.self) { group in
            group.addTask { await dataPlane.whenFailed() }
            group.addTask {
                try? await gracefulShutdown()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        await dataPlane.shutdown()
        if let failure { throw failure }
    }
}
