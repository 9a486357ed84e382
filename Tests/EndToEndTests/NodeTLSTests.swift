// TLS between the gateway and its nodes: a node is used when its certificate is good, and otherwise is down, for a reason
// that status says in words.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct NodeTLS {
        private static func settings(_ pair: TestAuthority.Pair) -> InfluxNode.Settings {
            var settings = InfluxNode.Settings()
            settings.tls = pair
            return settings
        }

        @Test("I3 a node whose certificate is good is written to and read over TLS, one whose is not gets nothing")
        func verification() async throws {
            let authority = try await TestAuthority()
            let good = try await authority.issue("good")
            let named = try await authority.issue("named", for: ["DNS:influx.example"])
            let expired = try await authority.issue("expired", days: -1)
            let ca = "tls: {ca: \(authority.certificate)}"
            let nodes = [
                "a": try await InfluxNode.started("a", Self.settings(good)),
                "b": try await InfluxNode.started("b", Self.settings(named)),
                "strange": try await InfluxNode.started("strange", Self.settings(good)),
                "wrong": try await InfluxNode.started("wrong", Self.settings(named)),
                "expired": try await InfluxNode.started("expired", Self.settings(expired)),
                "plain": try await InfluxNode.started("plain"),
            ]
            func entry(_ name: String, _ more: String) throws -> (name: String, url: String) {
                guard let node = nodes[name] else { throw TestFailure("no node \(name)") }
                return (name, "https://127.0.0.1:\(node.port)\(more)")
            }
            let gateway = try GatewayProcess(
                nodes: [
                    entry("a", ", \(ca)"),
                    entry("b", ", tls: {ca: \(authority.certificate), server_name: influx.example}"),
                    entry("strange", ""), entry("wrong", ", \(ca)"), entry("expired", ", \(ca)"),
                    entry("plain", ", \(ca)"),
                ])
            let reasons = [
                "strange": "the certificate of node strange is signed by nobody we know: add tls",
                "wrong": "the certificate of node wrong is not valid for 127.0.0.1; it is for influx.example",
                "expired": "the certificate of node expired has expired on ",
                "plain": "node plain does not speak TLS at this address: write http:// in its url",
            ]
            var before: [String: Int] = [:]
            for name in reasons.keys { before[name] = try await nodes[name]?.counter("httpd", "req") }
            try gateway.launch()
            try await gateway.waitUntilHealthy()
            try await gateway.waitUntilInSync(["a", "b"])
            #expect(try await gateway.client.execute("CREATE DATABASE t").status == 200)
            #expect(try await gateway.client.write("m v=1 1", db: "t").status == 204)
            for name in ["a", "b"] {
                try await eventually("\(name) has the point") {
                    try await nodes[name]?.client.count("v", of: "m", db: "t") == 1 ? true : nil
                }
            }
            #expect(try await gateway.client.count("v", of: "m", db: "t") == 1)

            for (name, reason) in reasons {
                try await eventually("status says why \(name) is down") {
                    let node = try await gateway.status().node(name)
                    guard node.health == "down", node.lastError?.contains(reason) == true else {
                        throw TestFailure("\(node)")
                    }
                    return true
                }
                #expect(!gateway.log.contains("node \(name) is in sync"))
            }
            let text = try await GatewayProcess.run(["status", "--admin", "http://127.0.0.1:\(gateway.adminPort)"])
            for reason in reasons.values { #expect(text.output.contains(reason), "\(text)") }
            // The plain one saw bytes that are no requests; the count that it gives is one of its own.
            for (name, count) in before {
                let now = try await nodes[name]?.counter("httpd", "req") ?? 0
                #expect(now - count <= 1, "\(name) got requests")
            }
            #expect(try await gateway.stop() == .exited(0))
        }

        @Test("I3 verify: false takes any certificate, for that node alone and with a warning")
        func unverified() async throws {
            let authority = try await TestAuthority()
            let pair = try await authority.issue("any", for: ["DNS:elsewhere"])
            let a = try await InfluxNode.started("a", Self.settings(pair))
            let b = try await InfluxNode.started("b", Self.settings(pair))
            let gateway = try GatewayProcess(
                nodes: [("a", "\(a.url), tls: {verify: false}"), ("b", b.url)])
            try gateway.launch()
            try await gateway.waitUntilHealthy()
            try await gateway.waitUntilInSync(["a"])
            #expect(try await gateway.status().node("b").health == "down")
            #expect(try gateway.errorLines().contains { $0.contains("the certificate of node a is NOT VERIFIED") })
            let check = try await GatewayProcess.run(["check", "--config", gateway.configurationFile.path])
            #expect(check.errors.contains("warning: the certificate of node a is NOT VERIFIED"), "\(check)")
            #expect(check.status == .exited(0))
            let doctor = try await GatewayProcess.run(["doctor", "--node", "b=\(b.url)"])
            #expect((doctor.output + doctor.errors).contains("is signed by nobody we know"), "\(doctor)")
            let other = try await GatewayProcess.run(["doctor", "--node", "b=\(b.url)", "--ca", authority.certificate])
            #expect(
                (other.output + other.errors).contains("is not valid for 127.0.0.1; it is for elsewhere"), "\(other)")
        }

        /// Ends TLS before a node and wants certificates of clients, as a proxy does.
        private static let proxy = """
            import socket, ssl, sys, threading
            listen, node, cert, key, ca = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
            server = socket.create_server(("127.0.0.1", listen))
            def pump(a, b):
                try:
                    while data := a.recv(65536): b.sendall(data)
                except OSError: pass
                for s in (a, b):
                    try: s.shutdown(socket.SHUT_RDWR)
                    except OSError: pass
            def serve(raw):
                try: front = context.wrap_socket(raw, server_side=True)
                except OSError: return raw.close()
                back = socket.create_connection(("127.0.0.1", node))
                threading.Thread(target=pump, args=(front, back), daemon=True).start()
                pump(back, front)
            while True:
                raw, _ = server.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()
            """

        @Test(
            "a node that wants a certificate of the gateway gets it, and refuses a gateway without or with a wrong one")
        func clientCertificate() async throws {
            let authority = try await TestAuthority()
            let server = try await authority.issue("proxy")
            let mine = try await authority.issue("sluice")
            let stranger = try await TestAuthority("stranger").issue("sluice")
            let folder = try TemporaryFolder("sluice-proxy")
            let script = folder.url.appendingPathComponent("proxy.py").path
            try Self.proxy.write(toFile: script, atomically: true, encoding: .utf8)
            var nodes: [InfluxNode] = []
            var proxies: [ChildProcess] = []
            var entries: [(name: String, url: String)] = []
            for (name, pair) in [("a", mine), ("none", nil), ("stranger", stranger)] {
                let node = try await InfluxNode.started(name)
                let port = try FreePort.next()
                proxies.append(
                    try ChildProcess(
                        name: "proxy-\(name)",
                        arguments: [
                            "/usr/bin/python3", script, "\(port)", "\(node.port)", server.certificate, server.key,
                            authority.certificate,
                        ], logFolder: folder.url))
                let certificate = pair.map { ", certificate: \($0.certificate), key: \($0.key)" } ?? ""
                entries.append((name, "https://127.0.0.1:\(port), tls: {ca: \(authority.certificate)\(certificate)}"))
                nodes.append(node)
            }
            let gateway = try GatewayProcess(nodes: entries)
            try gateway.launch()
            try await gateway.waitUntilHealthy()
            try await gateway.waitUntilInSync(["a"])
            try await gateway.client.execute("CREATE DATABASE t")
            #expect(try await gateway.client.write("m v=1 1", db: "t").status == 204)
            #expect(try await nodes[0].client.count("v", of: "m", db: "t") == 1)
            for (name, words) in [("none", "wants a certificate of the gateway"), ("stranger", "does not accept")] {
                try await eventually("status says why \(name) is down") {
                    let node = try await gateway.status().node(name)
                    guard node.health == "down", node.lastError?.contains(words) == true else {
                        throw TestFailure("\(node)")
                    }
                    return true
                }
            }
            for proxy in proxies { try await proxy.killAndWait() }
        }
    }
}
