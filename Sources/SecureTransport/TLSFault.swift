// What is wrong with a certificate, a key or a handshake, in words for people: the library's errors name lines of its
// sources.
import Glibc
import NIOSSL

package struct TLSFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What of the settings is at fault.
    package enum Part: Sendable {
        case certificate
        case key
        case authorities
        /// Nothing of them, or all together.
        case whole
    }

    package let part: Part
    package let what: String
    package let advice: String

    package init(_ what: String, advice: String, part: Part = .whole) {
        self.part = part
        self.what = what
        self.advice = advice
    }

    package var description: String { "\(what): \(advice)" }
}

/// Points in time in certificates: seconds since 1970.
enum CertificateTime {
    static var now: Int { time(nil) }

    /// `2026-11-21 15:43 UTC`.
    static func text(_ seconds: Int) -> String {
        var moment = time_t(seconds)
        var parts = tm()
        gmtime_r(&moment, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        let length = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M UTC", &parts)
        return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

// MARK: Handshakes

extension TLSFault {
    /// Why there is no TLS connection to a node.
    ///
    /// - Parameters:
    ///   - node: as it is called in texts: `node a`.
    ///   - host: of its url.
    ///   - peer: the certificate that it showed, as far as that is known.
    package static func toNode(
        _ error: any Error, node: String, host: String, settings: TLSSettings, peer: NIOSSLCertificate?
    ) -> TLSFault {
        let text = "\(error)"
        func has(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        if let extra = error as? NIOSSLExtraError, extra == .failedToValidateHostname {
            let names = peer.map(names) ?? []
            let valid = names.isEmpty ? "" : "; it is for \(names.joined(separator: ", "))"
            return TLSFault(
                "the certificate of \(node) is not valid for \(settings.serverName ?? host)\(valid)",
                advice: "correct the url, name what it is for in tls.server_name, or get \(node) another certificate")
        }
        if let extra = error as? NIOSSLExtraError, extra == .serverHostnameImpossibleToMatch {
            return TLSFault(
                "no certificate can be valid for \(settings.serverName ?? host), which is no name of a host",
                advice: "name what the certificate of \(node) is for in tls.server_name")
        }
        if has("CERTIFICATE_VERIFY_FAILED") { return unverified(node: node, settings: settings, peer: peer) }
        if has("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST") {
            return TLSFault(
                "\(node) does not speak TLS at this address",
                advice: "write http:// in its url, or set https-enabled = true in its influxdb.conf")
        }
        if has("UNSUPPORTED_PROTOCOL", "ALERT_PROTOCOL_VERSION") {
            return TLSFault(
                "\(node) does not speak TLS \(settings.minimum.rawValue) or newer",
                advice: "raise its version of TLS" + (settings.minimum == .v13 ? ", or lower tls.minimum" : ""))
        }
        if has("CERTIFICATE_REQUIRED") || has("ALERT_HANDSHAKE_FAILURE") && settings.certificate == nil {
            return TLSFault(
                "\(node) wants a certificate of the gateway, or has no cipher in common with it",
                advice: "give the node's entry tls.certificate and tls.key")
        }
        if has("ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "ALERT_CERTIFICATE", "ACCESS_DENIED")
        {
            return TLSFault(
                "\(node) does not accept the gateway's certificate",
                advice: settings.certificate.map { "see whether \($0) is signed by whom \(node) trusts" }
                    ?? "give the node's entry tls.certificate and tls.key")
        }
        if has("eofDuringHandshake", "EOF during") {
            return TLSFault(
                "\(node) closed the connection during the TLS handshake", advice: "see its log, and whether it has TLS")
        }
        if case .some(.uncleanShutdown) = error as? NIOSSLError {
            return TLSFault("\(node) closed the connection without a word", advice: "see whether it runs")
        }
        return TLSFault("TLS to \(node) failed (\(reason(in: text)))", advice: "see its log")
    }

    private static func unverified(node: String, settings: TLSSettings, peer: NIOSSLCertificate?) -> TLSFault {
        let now = CertificateTime.now
        if let peer, peer.notValidAfter < now {
            return TLSFault(
                "the certificate of \(node) has expired on \(CertificateTime.text(peer.notValidAfter))",
                advice: "get it a new one")
        }
        if let peer, peer.notValidBefore > now {
            return TLSFault(
                "the certificate of \(node) is valid only from \(CertificateTime.text(peer.notValidBefore)) on",
                advice: "compare the clocks of both hosts")
        }
        guard let authorities = settings.authorities else {
            return TLSFault(
                "the certificate of \(node) is signed by nobody we know",
                advice: "add tls: {ca: FILE} with the certificate of its authority to the node's entry")
        }
        return TLSFault(
            "the certificate of \(node) is not signed by an authority in \(authorities), or not for this use",
            advice: "put its authority's certificate into that file, or get \(node) a certificate of this authority")
    }

    /// Why a client's handshake came to nothing; for the log.
    package static func fromClient(_ error: any Error) -> String {
        let text = "\(error)"
        let known = [
            ("HTTP_REQUEST", "it speaks HTTP without TLS"), ("eofDuringHandshake", "it left during the handshake"),
            ("EOF during", "it left during the handshake"),
            ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "it has no certificate, and one is wanted"),
            ("CERTIFICATE_VERIFY_FAILED", "its certificate has expired or is not signed by an authority in client_ca"),
            ("UNSUPPORTED_PROTOCOL", "its version of TLS is too old"),
            ("NO_SHARED_CIPHER", "it has no cipher in common with us"),
            ("WRONG_VERSION_NUMBER", "it does not speak TLS"),
            ("ALERT_UNKNOWN_CA", "it does not trust our certificate"),
            ("ALERT_BAD_CERTIFICATE", "it does not accept our certificate"),
            ("CERTIFICATE_UNKNOWN", "it does not accept our certificate"),
        ]
        return known.first { text.contains($0.0) }?.1 ?? reason(in: text)
    }

    /// Whether a client sent HTTP where TLS was expected.
    package static func isPlainHTTP(_ error: any Error) -> Bool { "\(error)".contains(":HTTP_REQUEST") }

    /// The upper-case words in a text of the library: `SSL routines:OPENSSL_internal:DECODE_ERROR at ...`.
    private static func reason(in text: String) -> String {
        guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return text }
        return text[start...].prefix { $0 != " " && $0 != "," }.lowercased().replacing("_", with: " ")
    }

    /// What a certificate is for: its alternative names.
    private static func names(_ certificate: NIOSSLCertificate) -> [String] {
        // The description is the library's only stable way to them: `...;alternative_names=node-a,10.0.0.1>`.
        let text = "\(certificate)"
        guard let start = text.firstRange(of: "alternative_names=")?.upperBound else {
            return text.firstRange(of: "common_name=").map {
                [String(text[$0.upperBound...].prefix { $0 != ";" && $0 != ">" })]
            } ?? []
        }
        return text[start...].prefix { $0 != ";" && $0 != ">" }.split(separator: ",").map(String.init)
    }
}
