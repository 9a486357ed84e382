// The certificates and keys in use: looked at again while the gateway runs, and shown as metrics.
import Foundation
import Logging
import NIOPosix
import SecureTransport
import ServiceLifecycle
import UnixSignals

struct Certificates: Sendable {
    let sources: [TLSContextSource]
    let logger: Logger

    /// Takes what is new into use; what cannot be used is told once, and the old stays in use.
    func reload() async {
        guard !sources.isEmpty else { return }
        try? await NIOThreadPool.singleton.runIfActive {
            for source in sources { reload(source) }
        }
    }

    private func reload(_ source: TLSContextSource) {
        switch source.reload() {
        case .unchanged, .failed(_, isNew: false): break
        case .renewed:
            logger.notice("certificates were renewed; new connections use them", metadata: ["of": "\(source.name)"])
            if let warning = source.expiring { logger.warning("\(warning)", metadata: ["of": "\(source.name)"]) }
        case .failed(let fault, isNew: true):
            logger.error(
                "new certificates cannot be used, the old stay in use: \(fault)", metadata: ["of": "\(source.name)"])
        }
    }

    func metrics() -> [MetricFamily] {
        let own = sources.compactMap { source in source.expiry.map { (source.name, $0) } }
        guard !sources.isEmpty else { return [] }
        let now = Int(Date.now.timeIntervalSince1970)
        return [
            MetricFamily(
                name: "sluice_tls_certificate_expiry_seconds",
                help: "Seconds until the certificate that is shown expires; below 0 it has.", kind: .gauge,
                samples: own.map { .init(labels: [("use", $0.0)], value: Double($0.1 - now)) }),
            MetricFamily(
                name: "sluice_tls_reload_failures_total",
                help: "Changed certificate or key files that could not be used.", kind: .counter,
                samples: [.init(value: Double(sources.reduce(0) { $0 + $1.failures }))]),
        ]
    }
}

/// Looks for renewed certificates every 10 s and on SIGHUP.
struct CertificateWatch: Service {
    let dataPlane: any DataPlane
    let hearsSignals: Bool
    private static let interval = Duration.seconds(10)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while (try? await Task.sleep(for: Self.interval)) != nil { await dataPlane.reloadCertificates() }
                }
                if hearsSignals {
                    group.addTask {
                        for await _ in await UnixSignalsSequence(trapping: .sighup) {
                            await dataPlane.reloadCertificates()
                        }
                    }
                }
                await group.waitForAll()
            }
        }
    }
}
