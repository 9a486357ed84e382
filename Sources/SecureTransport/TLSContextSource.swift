// What new connections of one listener or to one node are made with. It is exchanged while they run: a certificate that
// was renewed is used without a restart.
import NIOConcurrencyHelpers
import NIOSSL

package final class TLSContextSource: Sendable {
    package enum Reload: Equatable, Sendable {
        case unchanged
        case renewed
        /// What was in use stays in use. `isNew` when this was not said before.
        case failed(TLSFault, isNew: Bool)
    }

    private struct State {
        var material: TLSMaterial
        var fingerprint: Int
        var fault: TLSFault?
        var failures = 0
    }

    /// As texts and metrics call it: `listen`, `listener 10.0.0.1:9096`, `node a`.
    package let name: String
    package let settings: TLSSettings
    private let role: TLSRole
    private let state: NIOLockedValueBox<State>

    /// Reads the files; never on an event loop.
    package init(name: String, settings: TLSSettings, role: TLSRole) throws(TLSFault) {
        self.name = name
        self.settings = settings
        self.role = role
        let files = try TLSFiles(settings)
        let material = try TLSMaterial(files, settings, role: role)
        state = NIOLockedValueBox(State(material: material, fingerprint: files.fingerprint))
    }

    package var context: NIOSSLContext { state.withLockedValue { $0.material.context } }

    /// When the certificate that is shown expires, in seconds since 1970; nil: none is shown.
    package var expiry: Int? { state.withLockedValue { $0.material.expiry } }

    /// Contents that could not be used since the start.
    package var failures: Int { state.withLockedValue { $0.failures } }

    /// What is to be said about the end of the certificate that is shown; nil: it is far away.
    package var expiring: TLSFault? { TLSMaterial.expiring(settings, expiry: expiry) }

    /// Looks whether the files hold something else than before; never on an event loop. New connections get it, those
    /// that exist go on as they are.
    package func reload() -> Reload {
        do throws(TLSFault) {
            let files = try TLSFiles(settings)
            guard state.withLockedValue({ $0.fingerprint }) != files.fingerprint else {
                state.withLockedValue { $0.fault = nil }
                return .unchanged
            }
            let material = try TLSMaterial(files, settings, role: role)
            state.withLockedValue {
                $0.material = material
                $0.fingerprint = files.fingerprint
                $0.fault = nil
            }
            return .renewed
        } catch {
            return state.withLockedValue { state in
                let isNew = state.fault != error
                state.fault = error
                if isNew { state.failures += 1 }
                return .failed(error, isNew: isNew)
            }
        }
    }
}
