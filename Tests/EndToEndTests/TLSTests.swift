// TLS between clients and the gateway: what is spoken and what is refused, as a scanner sees it; client certificates;
// clients that do not finish, or speak something else.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct TLS {
        /// One node, and a gateway with a listener for TLS beside its plain one.
        static func run(
            _ tls: String, _ body: (_ cluster: TestCluster, _ port: Int, _ client: InfluxClient) async throws -> Void
        ) async throws {
            let port = try FreePort.next()
            let listeners = "[{listen: 127.0.0.1:\(port), tls: \(tls)}]"
            var settings = GatewayProcess.Settings(["listeners": listeners, "log_level": "debug"])
            settings.keys["threads"] = "2"
            try await TestCluster.run(settings, nodes: ["a"]) { cluster in
                try await body(cluster, port, InfluxClient(port: port, isSecure: true))
            }
        }

        /// What `openssl s_client` makes of a server: whether there was a session, and all that it printed.
        static func connect(_ port: Int, _ arguments: [String]) async throws -> (isConnected: Bool, text: String) {
            let result = try await Command.run(
                ["openssl", "s_client", "-connect", "127.0.0.1:\(port)"] + arguments, within: .seconds(10))
            let text = result.output + result.errors
            let isConnected = result.status == .exited(0) && !text.contains("Cipher is (NONE)")
            return (isConnected, text)
        }

        @Test("TLS 1.2 and 1.3 with sound ciphers are spoken to clients, and nothing older or weaker")
        func scan() async throws {
            let pair = try await TestAuthority().issue("gateway", isRSA: true)
            try await Self.run("{certificate: \(pair.certificate), key: \(pair.key)}") { _, port, _ in
                // The same client and ciphers at a server that takes everything: what it cannot speak shows nothing.
                let other = try FreePort.next()
                let folder = try TemporaryFolder("sluice-openssl")
                let weak = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
                let server = try ChildProcess(
                    name: "s_server",
                    arguments: [
                        "/usr/bin/openssl", "s_server", "-accept", "\(other)", "-cert", pair.certificate, "-key",
                        pair.key, "-www", "-quiet", "-min_protocol", "TLSv1",
                    ] + weak,
                    logFolder: folder.url)
                try await eventually("s_server answers") {
                    try await Self.connect(other, ["-tls1_2"]).isConnected ? true : nil
                }
                var spoken = 0
                func old(_ arguments: [String]) async throws {
                    let control = try await Self.connect(other, arguments)
                    if !control.isConnected {
                        print("this openssl cannot speak \(arguments) itself: nothing is shown by its refusal")
                        return
                    }
                    spoken += 1
                    let scan = try await Self.connect(port, arguments)
                    #expect(!scan.isConnected, "\(arguments): \(scan.text)")
                }
                try await old(["-tls1"] + weak)
                try await old(["-tls1_1"] + weak)
                for cipher in [
                    "AES128-SHA", "AES256-SHA", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256",
                    "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256",
                    "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES128-SHA", "AECDH-AES128-SHA", "NULL-SHA256",
                ] {
                    try await old(["-tls1_2", "-cipher", "\(cipher):@SECLEVEL=0"])
                }
                #expect(spoken >= 10, "only \(spoken) weak ways could be tried")
                server.signal(SIGKILL)
                for arguments in [
                    ["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
                    ["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
                    ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
                ] {
                    let scan = try await Self.connect(port, arguments + ["-alpn", "h2,http/1.1"])
                    #expect(scan.isConnected, "\(arguments): \(scan.text)")
                    #expect(scan.text.contains("ALPN protocol: http/1.1"), "\(arguments)")
                    #expect(!scan.text.contains("Secure Renegotiation IS NOT supported") || arguments[0] == "-tls1_3")
                }
            }
        }

        @Test("a listener that wants TLS 1.3 refuses 1.2")
        func minimum() async throws {
            let pair = try await TestAuthority().issue("gateway")
            let tls = "{certificate: \(pair.certificate), key: \(pair.key), minimum: \"1.3\"}"
            try await Self.run(tls) { _, port, _ in
                let new = try await Self.connect(port, ["-tls1_3"])
                let old = try await Self.connect(port, ["-tls1_2"])
                #expect(new.isConnected && !old.isConnected, "\(new.text)\(old.text)")
            }
        }

        @Test("writes and queries over TLS are what they are without, large ones too")
        func requests() async throws {
            let authority = try await TestAuthority()
            let pair = try await authority.issue("gateway")
            try await Self.run("{certificate: \(pair.certificate), key: \(pair.key)}") { cluster, port, client in
                let lines = (0..<20_000).map { "m,t=a v=\($0)i \($0)" }.joined(separator: "\n")
                #expect(try await client.write(lines, db: "t").status == 204)
                let chunks = (0..<200).map { Array("m,t=b v=\($0)i \($0)\n".utf8) }
                #expect(try await client.send(.post, "/write?db=t", body: .chunked(chunks)).status == 204)
                for question in [
                    "SELECT * FROM m", "SELECT count(v) FROM m", "SHOW MEASUREMENTS", "SELECT v FROM m WHERE t='b'",
                ] {
                    let secure = try await client.query(question, db: "t")
                    let plain = try await cluster.client.query(question, db: "t")
                    try requireSameAnswer(secure, plain, question)
                }
                let streamed = try await client.query("SELECT * FROM m", db: "t", ["chunked": "true", "epoch": "ns"])
                #expect(streamed.body.count > 300_000)
                // A client that looks at certificates, and one that ends its half of the connection after its request.
                let curl = try await Command.run([
                    "curl", "-sS", "--cacert", authority.certificate, "https://127.0.0.1:\(port)/query?db=t",
                    "--data-urlencode", "q=SELECT count(v) FROM m",
                ])
                #expect(curl.output.contains("20200"), "\(curl)")
                let half = try await Command.run([
                    "sh", "-c",
                    "printf 'GET /ping HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n' | "
                        + "openssl s_client -quiet -no_ign_eof -connect 127.0.0.1:\(port); true",
                ])
                #expect(half.output.hasPrefix("HTTP/1.1 204") || half.status == .exited(0), "\(half)")
                let metrics = try await cluster.gateway.metrics()
                #expect(metrics["sluice_tls_handshakes_failed_total"] == 0)
                let use = "sluice_tls_certificate_expiry_seconds{use=\"listener 127.0.0.1:\(port)\"}"
                #expect((29 * 86_400...30 * 86_400).contains(Int(metrics[use] ?? 0)))
            }
        }

        @Test("a listener with client_ca serves clients with a good certificate, and no others")
        func clientCertificates() async throws {
            let authority = try await TestAuthority()
            let server = try await authority.issue("gateway")
            let good = try await authority.issue("telegraf")
            let expired = try await authority.issue("old", days: -1)
            let stranger = try await TestAuthority("stranger").issue("telegraf")
            let tls =
                "{certificate: \(server.certificate), key: \(server.key), client_ca: \(authority.certificate)}"
            try await Self.run(tls) { cluster, port, _ in
                func write(_ pair: TestAuthority.Pair?, _ version: String) async throws -> String {
                    let mine = pair.map { ["--cert", $0.certificate, "--key", $0.key] } ?? []
                    return try await Command.run(
                        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", authority.certificate]
                            + mine + version.split(separator: " ").map(String.init) + [
                                "https://127.0.0.1:\(port)/write?db=t", "--data-binary", "c v=1 1",
                            ]
                    ).output
                }
                for version in ["--tlsv1.3", "--tlsv1.2 --tls-max 1.2"] {
                    for pair in [nil, expired, stranger] {
                        #expect(try await write(pair, version) == "000", "\(pair?.certificate ?? "none") \(version)")
                    }
                }
                #expect(try await cluster.a.client.count("v", of: "c", db: "t") == 0)
                for version in ["--tlsv1.3", "--tlsv1.2 --tls-max 1.2"] {
                    #expect(try await write(good, version) == "204")
                }
                try await eventually("failed handshakes are counted") {
                    try await cluster.gateway.metrics()["sluice_tls_handshakes_failed_total"] == 6 ? true : nil
                }
                let lines = try cluster.gateway.errorLines().filter { $0.contains("handshake came to nothing") }
                #expect(lines.contains { $0.contains("it has no certificate, and one is wanted") }, "\(lines)")
                #expect(lines.contains { $0.contains("is not signed by an authority in client_ca") }, "\(lines)")
            }
        }

        @Test("clients that send something else or never finish a handshake are cut off, and nobody else notices")
        func rudeClients() async throws {
            let pair = try await TestAuthority().issue("gateway")
            try await Self.run("{certificate: \(pair.certificate), key: \(pair.key)}") { cluster, port, client in
                // Opened first: they have the time that a request's head has.
                let silent = try RawConnection(port: port)
                let half = try RawConnection(port: port)
                await half.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03])
                let began = ContinuousClock.now

                let plain = try RawConnection(port: port)
                await plain.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                let answer = String(decoding: await plain.receive().bytes, as: UTF8.self)
                #expect(
                    answer
                        == "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
                let wrong = try await Self.connect(cluster.gateway.port, ["-tls1_2"])
                #expect(!wrong.isConnected)

                var random = SystemRandomNumberGenerator()
                for turn in 0..<200 {
                    let connection = try RawConnection(port: port)
                    let begin: [UInt8] = turn % 2 == 0 ? [0x16, 0x03, 0x01, 0x00, 0x40] : []
                    await connection.send(begin + (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) })
                    if turn % 3 == 0 { connection.reset() } else { connection.endSending() }
                    if turn % 10 == 0 { #expect(await connection.receive(within: .seconds(5)).closed) }
                }
                #expect(try await client.send(.get, "/ping").status == 204)
                for connection in [silent, half] {
                    #expect(await connection.receive(within: .seconds(20)).closed)
                    let took = ContinuousClock.now - began
                    #expect(took > .seconds(8), "cut after \(took)")
                }
                let failed = try await cluster.gateway.metrics()["sluice_tls_handshakes_failed_total"] ?? 0
                #expect(failed >= 203, "\(failed)")
                try await eventually("no connection is left over") {
                    // Those of the test's own client stay.
                    try await (cluster.gateway.metrics()["sluice_connections"] ?? 99) < 6 ? true : nil
                }
                #expect(try await client.write("after v=1 1", db: "t").status == 204)
            }
        }
    }
}
