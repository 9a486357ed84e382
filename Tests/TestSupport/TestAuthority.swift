// Certificates for tests, made with the `openssl` program as an operator makes them.

import Foundation

/// An authority of its own that signs certificates; its folder goes with the last reference to it.
package final class TestAuthority: Sendable {
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String
        /// Holds the files, also when the authority is gone.
        fileprivate let folder: TemporaryFolder
    }

    private let folder: TemporaryFolder

    package var certificate: String { path("ca.crt") }

    package init(_ name: String = "test authority") async throws {
        folder = try TemporaryFolder("sluice-ca")
        try await Self.openssl(
            ["req", "-x509"] + Self.newKey(isRSA: false) + [
                "-subj", "/CN=\(name)", "-days", "30", "-keyout", path("ca.key"), "-out", path("ca.crt"),
            ])
    }

    /// - Parameters:
    ///   - names: what it is for: `IP:127.0.0.1`, `DNS:node-a`.
    ///   - days: below 0 it has expired.
    package func issue(
        _ name: String, for names: [String] = ["IP:127.0.0.1", "DNS:localhost"], days: Int = 30, isRSA: Bool = false
    ) async throws -> Pair {
        let request = path("\(name).csr")
        let extensions = path("\(name).ext")
        let pair = Pair(certificate: path("\(name).crt"), key: path("\(name).key"), folder: folder)
        try await Self.openssl(
            ["req"] + Self.newKey(isRSA: isRSA) + ["-subj", "/CN=\(name)", "-keyout", pair.key, "-out", request])
        try "subjectAltName=\(names.joined(separator: ","))\n".write(
            toFile: extensions, atomically: true, encoding: .utf8)
        try await Self.openssl([
            "x509", "-req", "-in", request, "-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-CAcreateserial",
            "-days", "\(days)", "-extfile", extensions, "-out", pair.certificate,
        ])
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: pair.key)
        return pair
    }

    /// The serial number as `openssl x509 -serial` prints it.
    package static func serial(_ certificate: String) async throws -> String {
        try await openssl(["x509", "-in", certificate, "-noout", "-serial"])
    }

    private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

    private static func newKey(isRSA: Bool) -> [String] {
        ["-newkey"] + (isRSA ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]) + ["-nodes"]
    }

    @discardableResult
    private static func openssl(_ arguments: [String]) async throws -> String {
        let result = try await Command.run(["openssl"] + arguments)
        guard result.status == .exited(0) else { throw TestFailure("openssl \(arguments): \(result.errors)") }
        return result.output
    }
}

/// A program that is run to its end.
package enum Command {
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], within limit: Duration = .seconds(30)
    ) async throws -> (output: String, errors: String, status: ExitStatus) {
        let folder = try TemporaryFolder("sluice-command")
        let process = try ChildProcess(
            name: "command", arguments: arguments, environment: environment, logFolder: folder.url)
        let status = try await process.waitForExit(within: limit)
        return (
            String(decoding: try Data(contentsOf: process.standardOutput), as: UTF8.self),
            String(decoding: try Data(contentsOf: process.standardError), as: UTF8.self),
            status
        )
    }
}
