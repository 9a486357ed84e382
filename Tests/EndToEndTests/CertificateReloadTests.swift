// Certificates that are renewed while the gateway runs, in both directions; and what a gateway does that its own clients'
// rules would keep out.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct CertificateReload {
        /// A request whose body comes in two halves; the second when a file appears.
        private static let slowWriter = """
            import os, socket, ssl, sys, time
            port, go = int(sys.argv[1]), sys.argv[2]
            context = ssl._create_unverified_context()
            s = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
            body = b"slow v=1 1\\nslow v=2 2"
            s.sendall(b"POST /write?db=t HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body[:11])
            print("half", flush=True)
            while not os.path.exists(go): time.sleep(0.01)
            s.sendall(body[11:])
            print(s.recv(4096).decode().split("\\r\\n")[0], flush=True)
            """

        private static func serial(at port: Int) async throws -> String {
            let result = try await Command.run([
                "sh", "-c",
                "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null | openssl x509 -noout -serial",
            ])
            return result.output
        }

        private static func put(_ source: String, to target: String) throws {
            try Data(contentsOf: URL(fileURLWithPath: source)).write(to: URL(fileURLWithPath: target), options: .atomic)
        }

        @Test("a renewed certificate is shown to new clients while requests go on; a broken one leaves the old in use")
        func listener() async throws {
            let authority = try await TestAuthority()
            let folder = try TemporaryFolder("sluice-reload")
            func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
            let pairs = [
                try await authority.issue("one"), try await authority.issue("two"), try await authority.issue("three"),
            ]
            func install(_ pair: TestAuthority.Pair) throws {
                try Self.put(pair.key, to: path("tls.key"))
                try Self.put(pair.certificate, to: path("tls.crt"))
            }
            try install(pairs[0])
            try await TLS.run("{certificate: \(path("tls.crt")), key: \(path("tls.key"))}") { cluster, port, client in
                func shows(_ pair: TestAuthority.Pair, within limit: Duration) async throws {
                    let serial = try await TestAuthority.serial(pair.certificate)
                    try await eventually("\(pair.certificate) is shown", within: limit, every: .milliseconds(100)) {
                        try await Self.serial(at: port) == serial ? true : nil
                    }
                }
                try await shows(pairs[0], within: .seconds(5))
                try Self.slowWriter.write(toFile: path("slow.py"), atomically: true, encoding: .utf8)
                let writer = try ChildProcess(
                    name: "slow", arguments: ["/usr/bin/python3", path("slow.py"), "\(port)", path("go")],
                    logFolder: folder.url)
                func said() throws -> String {
                    String(decoding: try Data(contentsOf: writer.standardOutput), as: UTF8.self)
                }
                try await eventually("half of a request is sent") { try said() == "half\n" ? true : nil }

                try install(pairs[1])
                cluster.gateway.process?.signal(SIGHUP)
                try await shows(pairs[1], within: .seconds(5))
                try "".write(toFile: path("go"), atomically: true, encoding: .utf8)
                #expect(try await writer.waitForExit() == .exited(0))
                #expect(try said() == "half\nHTTP/1.1 204 No Content\n")

                // A key that belongs to another certificate, and one that is none.
                for (failures, key) in [(1.0, pairs[0].key), (2.0, pairs[0].certificate)] {
                    try Self.put(key, to: path("tls.key"))
                    cluster.gateway.process?.signal(SIGHUP)
                    try await eventually("the failure is counted") {
                        try await cluster.gateway.metrics()["sluice_tls_reload_failures_total"] == failures ? true : nil
                    }
                    try await shows(pairs[1], within: .seconds(5))
                }
                let errors = try cluster.gateway.errorLines().filter { $0.contains("the old stay in use") }
                #expect(errors.count == 2, "\(errors)")
                #expect(errors.first?.contains("does not belong to the certificate") == true, "\(errors)")
                #expect(errors.last?.contains("is no private key in PEM form") == true, "\(errors)")

                // Without a signal it takes a few seconds.
                try install(pairs[2])
                try await shows(pairs[2], within: .seconds(25))
                #expect(try await client.write("m v=1 1", db: "t").status == 204)
            }
        }

        @Test("an authority that is put into the file of a node lets the node in without a restart")
        func node() async throws {
            let authority = try await TestAuthority()
            let stranger = try await TestAuthority("stranger")
            let folder = try TemporaryFolder("sluice-reload")
            let file = folder.url.appendingPathComponent("ca.crt").path
            try Self.put(stranger.certificate, to: file)
            var settings = InfluxNode.Settings()
            settings.tls = try await authority.issue("node")
            let node = try await InfluxNode.started("a", settings)
            let gateway = try GatewayProcess(nodes: [("a", "\(node.url), tls: {ca: \(file)}")])
            try gateway.launch()
            try await gateway.waitUntilHealthy()
            try await eventually("the node is not trusted") {
                try await gateway.status().node("a").lastError?.contains("is not signed by an authority in") == true
                    ? true : nil
            }
            try Self.put(authority.certificate, to: file)
            gateway.process?.signal(SIGHUP)
            try await gateway.waitUntilInSync(within: .seconds(20))
        }

        @Test("dead letters are written again where clients need certificates that the gateway has not")
        func ownSocket() async throws {
            let authority = try await TestAuthority()
            let server = try await TestAuthority("server").issue("gateway")
            let mine = try await authority.issue("client")
            let node = try await InfluxNode.started("a")
            let gateway = try GatewayProcess(
                nodes: [("a", node.url)],
                .init([
                    "tls":
                        "{certificate: \(server.certificate), key: \(server.key), client_ca: \(authority.certificate)}"
                ]))
            try await gateway.start()
            try await gateway.waitUntilInSync()
            func curl(_ arguments: [String], _ target: String) async throws -> String {
                try await Command.run(
                    ["curl", "-sSk", "--cert", mine.certificate, "--key", mine.key, "-w", "%{http_code}"] + arguments
                        + ["https://127.0.0.1:\(gateway.port)\(target)"]
                ).output
            }
            #expect(try await curl(["-d", "q=CREATE DATABASE t"], "/query").hasSuffix("200"))
            #expect(try await curl(["--data-binary", "m v=1 1"], "/write?db=t") == "204")
            #expect(try await curl(["--data-binary", "m v=\"text\" 3"], "/write?db=t").hasSuffix("400"))
            try await eventually("the dead letter is listed") {
                try await gateway.deadLetters(db: "t").deadLetters.count == 1 ? true : nil
            }
            let retry = try await GatewayProcess.run([
                "deadletters", "retry", "--db", "t", "--admin", gateway.admin.base, "--data-dir",
                gateway.dataFolder.path,
            ])
            #expect(retry.output.contains("the conflict still stands: v is float, written as string"), "\(retry)")
            let status = try await gateway.admin.send(.get, "/api/v1/status").text
            #expect(
                status.contains("https://127.0.0.1:\(gateway.port)") || status.contains("https:\\/\\/127"), "\(status)")
            #expect(try await gateway.stop() == .exited(0))
            #expect(!FileManager.default.fileExists(atPath: gateway.dataFolder.path + "/own.sock"))
        }
    }
}
