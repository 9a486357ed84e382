// Sockets that a service manager has bound and listens on while the gateway is away, so that a restart refuses nobody:
// the protocol of systemd's sd_listen_fds(3).
import Gateway
import Glibc
import NIOCore

package struct PassedSocket: Sendable, CustomStringConvertible {
    /// The first descriptor that is passed.
    private static let first: CInt = 3

    package let descriptor: CInt
    /// Of LISTEN_FDNAMES; empty where there are none.
    package let name: String
    /// What it is bound to; nil: it is no socket that streams can come in by.
    package let address: SocketAddress?

    package var description: String {
        let place =
            switch address {
            case .some(.unixDomainSocket): "unix:\(address?.pathname ?? "")"
            case .some(let address): "\(address.ipAddress ?? "?"):\(address.port ?? 0)"
            case nil: "descriptor \(descriptor), which is no listening stream socket"
            }
        return name.isEmpty ? place : "\(place) (\(name))"
    }

    /// Takes the sockets that are meant for this process, and forgets the variables that name them: a child must not
    /// believe that they are its own.
    package static func take() -> [PassedSocket] {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        guard variable("LISTEN_PID").flatMap({ pid_t($0) }) == getpid(),
            let count = variable("LISTEN_FDS").flatMap({ CInt($0) }), count > 0, count < 1024
        else { return [] }
        let names = (variable("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { index in
            let descriptor = first + index
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let name = Int(index) < names.count ? String(names[Int(index)]) : ""
            return PassedSocket(descriptor: descriptor, name: name, address: boundAddress(of: descriptor))
        }
    }

    private static func boundAddress(of descriptor: CInt) -> SocketAddress? {
        var type: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) == 0,
            type == CInt(SOCK_STREAM.rawValue)
        else { return nil }
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &size) == 0 else { return nil }
                let bytes = UnsafeRawPointer(address)
                switch CInt(address.pointee.sa_family) {
                case AF_INET: return SocketAddress(bytes.load(as: sockaddr_in.self))
                case AF_INET6: return SocketAddress(bytes.load(as: sockaddr_in6.self))
                case AF_UNIX: return SocketAddress(bytes.load(as: sockaddr_un.self))
                default: return nil
                }
            }
        }
    }

    func isBound(to endpoint: ListenEndpoint) -> Bool {
        guard let address else { return false }
        switch endpoint {
        case .unix(let path, _):
            guard case .unixDomainSocket = address else { return false }
            return address.pathname == path
        case .tcp(let host, let port):
            guard address.port == port, let ip = address.ipAddress else { return false }
            // systemd's `ListenStream=8086` listens on [::] for IPv4 too.
            let all = ["0.0.0.0", "::"]
            if all.contains(host), all.contains(ip) { return true }
            return (try? SocketAddress.makeAddressResolvingHost(host, port: port))?.ipAddress == ip
        }
    }
}

extension GatewaySettings {
    /// Listens on the sockets that were passed where they are bound to what is configured.
    ///
    /// - Throws: `ServingError` for one that no listener is configured for: clients would wait there for ever.
    mutating func adopt(_ sockets: [PassedSocket]) throws {
        for socket in sockets {
            if socket.isBound(to: endpoint), passedSocket == nil {
                passedSocket = socket.descriptor
            } else if let index = listeners.firstIndex(where: {
                $0.passedSocket == nil && socket.isBound(to: $0.endpoint)
            }) {
                listeners[index].passedSocket = socket.descriptor
            } else {
                let all = allListeners.map { "\($0.endpoint)" }.joined(separator: ", ")
                throw ServingError(
                    "the socket \(socket) was passed by the service manager, and no listener has this address"
                        + " (there are \(all))",
                    advice: "add it to listeners, or remove it from the .socket unit; admin takes no passed socket")
            }
        }
    }
}
