// Reads certificates and keys, and makes of them what connections need, or says in words why that cannot be done.
// Blocks on files, and parses: never on an event loop.
import Glibc
import NIOCore
import NIOSSL

/// What the files of some settings hold at one moment.
struct TLSFiles {
    private static let largest = 4 << 20

    var certificate: [UInt8]?
    var key: [UInt8]?
    var authorities: [UInt8]?
    /// Others than its owner and group can read the key.
    var isKeyOpen = false
    /// Tells contents apart, within this process.
    var fingerprint: Int

    init(_ settings: TLSSettings) throws(TLSFault) {
        certificate = try Self.contents(settings.certificate, "certificate", .certificate)?.bytes
        let key = try Self.contents(settings.key, "key", .key)
        self.key = key?.bytes
        isKeyOpen = key.map { $0.mode & S_IROTH != 0 } ?? false
        authorities = try Self.contents(settings.authorities, "list of authorities", .authorities)?.bytes
        var hasher = Hasher()
        hasher.combine(certificate)
        hasher.combine(key?.bytes)
        hasher.combine(authorities)
        fingerprint = hasher.finalize()
    }

    private static func contents(
        _ path: String?, _ purpose: String, _ part: TLSFault.Part
    ) throws(TLSFault) -> (bytes: [UInt8], mode: mode_t)? {
        guard let path else { return nil }
        func fault(_ reason: String) -> TLSFault {
            TLSFault(
                "the \(purpose) \(path) cannot be read (\(reason))",
                advice: "name a PEM file that the gateway's user may read", part: part)
        }
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw fault(String(cString: strerror(errno))) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw fault("it is no file") }
        guard status.st_size <= largest else { throw fault("it is larger than \(largest) bytes") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
        var count = 0
        while count < bytes.count {
            let room = bytes.count - count
            let got = bytes.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map { read(file, $0 + count, room) } ?? -1
            }
            if got < 0 { throw fault(String(cString: strerror(errno))) }
            if got == 0 { break }
            count += got
        }
        guard count <= Int(status.st_size) else { throw fault("it is being written") }
        return (Array(bytes.prefix(count)), status.st_mode)
    }
}

/// What connections are made with.
package struct TLSMaterial: Sendable {
    package let context: NIOSSLContext
    /// When the first certificate of the chain that is shown expires, in seconds since 1970; nil: none is shown.
    package let expiry: Int?
    /// What works, and should not stay as it is.
    package let warnings: [TLSFault]

    /// Certificates that expire within this time are warned of.
    package static let warningSeconds = 14 * 86_400

    /// ECDHE with an AEAD: no RSA key exchange, no CBC, no SHA-1. TLS 1.3 has no others.
    private static let ciphers: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    package init(_ settings: TLSSettings, role: TLSRole) throws(TLSFault) {
        try self.init(TLSFiles(settings), settings, role: role)
    }

    init(_ files: TLSFiles, _ settings: TLSSettings, role: TLSRole) throws(TLSFault) {
        let chain = try Self.certificates(files.certificate, settings.certificate, "certificate", .certificate)
        let authorities = try Self.certificates(
            files.authorities, settings.authorities, "list of authorities", .authorities)
        var configuration = TLSConfiguration.makeClientConfiguration()
        if role == .server {
            guard settings.certificate != nil else {
                throw TLSFault("a listener with TLS needs a certificate", advice: "add certificate and key")
            }
        }
        guard (settings.certificate == nil) == (settings.key == nil) else {
            throw TLSFault("a certificate needs its key, and a key its certificate", advice: "give both or none")
        }
        if let bytes = files.key, let path = settings.key {
            configuration.certificateChain = chain.map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: bytes, format: .pem))
            } catch {
                throw TLSFault(
                    "the key \(path) is no private key in PEM form without a passphrase",
                    advice: "convert it with: openssl pkey -in \(path) -out FILE", part: .key)
            }
        }
        configuration.minimumTLSVersion = settings.minimum == .v13 ? .tlsv13 : .tlsv12
        configuration.cipherSuiteValues = Self.ciphers
        configuration.renegotiationSupport = .none
        if !authorities.isEmpty { configuration.trustRoots = .certificates(authorities) }
        switch role {
        case .server:
            configuration.applicationProtocols = ["http/1.1"]
            // Who is told to go need not be waited for long.
            configuration.shutdownTimeout = .seconds(1)
            configuration.certificateVerification = authorities.isEmpty ? .none : .noHostnameVerification
        case .client:
            // Closing a request's connection cancels it; a node that hangs must not hold the place of its successor.
            configuration.shutdownTimeout = .milliseconds(250)
            configuration.certificateVerification = settings.verifies ? .fullVerification : .none
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            guard let certificate = settings.certificate, let key = settings.key else {
                throw TLSFault("TLS cannot be set up (\(error))", advice: "look at the certificates")
            }
            throw TLSFault(
                "the key \(key) does not belong to the certificate \(certificate)",
                advice: "the first certificate in the file must be the one that the key was made for", part: .key)
        }
        expiry = chain.map { Int($0.notValidAfter) }.min()
        warnings = Self.warnings(settings, expiry: expiry, isKeyOpen: files.isKeyOpen)
    }

    private static func certificates(
        _ bytes: [UInt8]?, _ path: String?, _ purpose: String, _ part: TLSFault.Part
    ) throws(TLSFault) -> [NIOSSLCertificate] {
        guard let bytes, let path else { return [] }
        let certificates = (try? NIOSSLCertificate.fromPEMBytes(bytes)) ?? []
        guard !certificates.isEmpty else {
            throw TLSFault(
                "the \(purpose) \(path) holds no certificate in PEM form",
                advice: "it begins with -----BEGIN CERTIFICATE-----; convert it with: openssl x509 -in \(path)",
                part: part)
        }
        return certificates
    }

    private static func warnings(_ settings: TLSSettings, expiry: Int?, isKeyOpen: Bool) -> [TLSFault] {
        var warnings: [TLSFault] = []
        if isKeyOpen, let key = settings.key {
            warnings.append(
                TLSFault(
                    "everybody on this machine can read the key \(key)", advice: "chmod 600 \(key)", part: .key))
        }
        if let warning = expiring(settings, expiry: expiry) { warnings.append(warning) }
        return warnings
    }

    /// What is to be said about the end of the settings' own certificate; nil: it is far away.
    static func expiring(_ settings: TLSSettings, expiry: Int?) -> TLSFault? {
        guard let expiry, let path = settings.certificate else { return nil }
        let left = expiry - CertificateTime.now
        guard left < warningSeconds else { return nil }
        let when = CertificateTime.text(expiry)
        return TLSFault(
            left < 0
                ? "the certificate \(path) has expired on \(when)"
                : "the certificate \(path) expires in \(left / 86_400) days, on \(when)",
            advice: "put a new one in its place; it is read without a restart", part: .certificate)
    }
}
