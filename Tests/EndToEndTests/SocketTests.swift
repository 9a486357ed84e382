// Where the gateway listens besides TCP addresses of its own: Unix sockets, and sockets that a service manager holds, so
// that a restart refuses nobody.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Sockets {
        private static func curl(_ path: String, _ arguments: [String]) async throws -> String {
            try await Command.run(["curl", "-sS", "--unix-socket", path, "-w", "%{http_code}"] + arguments).output
        }

        private static func mode(_ path: String) -> UInt32? {
            var status = stat()
            return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
        }

        @Test("clients are served on Unix sockets with the rights that are configured; the files go at the end")
        func unixSockets() async throws {
            let folder = try TemporaryFolder("sluice-sockets")
            let main = folder.url.appendingPathComponent("main.sock").path
            let other = folder.url.appendingPathComponent("other.sock").path
            let node = try await InfluxNode.started("a")
            var settings = GatewayProcess.Settings([
                "listeners": "[{listen: \"unix:\(other)\", mode: \"0600\", policy: read-only}]"
            ])
            settings.arguments = ["--set", "listen=unix:\(main)"]
            let gateway = try GatewayProcess(nodes: [("a", node.url)], settings)
            try await gateway.start()
            try await gateway.waitUntilInSync()
            #expect(Self.mode(main) == 0o660 && Self.mode(other) == 0o600)
            #expect(try await Self.curl(main, ["-d", "q=CREATE DATABASE t", "http://h/query"]).hasSuffix("200"))
            #expect(try await Self.curl(main, ["--data-binary", "m v=1 1", "http://h/write?db=t"]) == "204")
            #expect(try await Self.curl(main, ["-d", "q=SELECT v FROM m", "http://h/query?db=t"]).contains("\"v\""))
            #expect(try await Self.curl(other, ["http://h/query?db=t&q=SELECT%20v%20FROM%20m"]).hasSuffix("200"))
            #expect(try await Self.curl(other, ["--data-binary", "m v=2 2", "http://h/write?db=t"]).hasSuffix("403"))
            let status = try await GatewayProcess.run(["status", "--admin", "http://127.0.0.1:\(gateway.adminPort)"])
            #expect(status.output.contains("unix:\(main)"), "\(status)")

            // A second gateway does not take the sockets away.
            var twin = settings
            twin.keys["listeners"] = nil
            let second = try GatewayProcess(nodes: [("a", node.url)], twin)
            try second.launch()
            #expect(try await second.process?.waitForExit() != .exited(0))
            #expect(second.log.contains("another process listens on the Unix socket \(main): stop it"))
            #expect(try await Self.curl(main, ["http://h/ping"]) == "204")

            // Refused lines are written again through the socket, too.
            #expect(
                try await Self.curl(main, ["--data-binary", "m v=\"text\" 3", "http://h/write?db=t"]).hasSuffix("400"))
            try await eventually("the dead letter is listed") {
                try await gateway.deadLetters(db: "t").deadLetters.count == 1 ? true : nil
            }
            let retry = try await GatewayProcess.run(
                ["deadletters", "retry", "--db", "t", "--admin", "http://127.0.0.1:\(gateway.adminPort)"]
                    + ["--data-dir", gateway.dataFolder.path])
            #expect(retry.output.contains("the conflict still stands: v is float, written as string"), "\(retry)")

            // What a killed process leaves behind is no obstacle.
            try await gateway.kill()
            #expect(Self.mode(main) != nil)
            try await gateway.start()
            #expect(try await Self.curl(main, ["http://h/ping"]) == "204")
            #expect(try await gateway.stop() == .exited(0))
            #expect(Self.mode(main) == nil && Self.mode(other) == nil)
            try "no socket".write(toFile: main, atomically: true, encoding: .utf8)
            try gateway.launch()
            #expect(try await gateway.process?.waitForExit() != .exited(0))
            #expect(gateway.log.contains("\(main) is there already and no socket: move it away"))
        }

        /// Binds sockets and passes them on to a program, again each time it ends, as systemd does.
        private static let manager = """
            import os, signal, socket, sys
            tcp, path, mode, names = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
            command = sys.argv[5:]
            a = socket.create_server(("127.0.0.1", tcp), backlog=1024)
            b = socket.socket(socket.AF_UNIX); b.bind(path); b.listen(1024)
            child = 0
            def forward(*_):
                if child: os.kill(child, signal.SIGTERM)
            signal.signal(signal.SIGUSR1, forward)
            again = True
            def stop(*_):
                global again
                again = False
                forward()
            signal.signal(signal.SIGTERM, stop)
            while again:
                child = os.fork()
                if child == 0:
                    os.dup2(a.fileno(), 60); os.dup2(b.fileno(), 61)
                    os.dup2(60, 3); os.dup2(61, 4); os.closerange(5, 100)
                    os.set_inheritable(3, True); os.set_inheritable(4, True)
                    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES=names)
                    os.execv(command[0], command)
                print("started", child, flush=True)
                while True:
                    try: pid, status = os.waitpid(child, 0)
                    except InterruptedError: continue
                    break
                print("ended", os.waitstatus_to_exitcode(status), flush=True)
                if os.waitstatus_to_exitcode(status) != 0: again = False
            """

        private static func launch(
            _ gateway: GatewayProcess, tcp: Int, path: String, folder: TemporaryFolder
        ) throws -> ChildProcess {
            let script = folder.url.appendingPathComponent("manager.py").path
            try manager.write(toFile: script, atomically: true, encoding: .utf8)
            return try ChildProcess(
                name: "manager",
                arguments: [
                    "/usr/bin/python3", script, "\(tcp)", path, "0660", "main:local", GatewayProcess.executable(),
                    "serve", "--config", gateway.configurationFile.path,
                ], logFolder: folder.url)
        }

        @Test("with passed sockets a gateway is restarted under load and no connection is refused")
        func activation() async throws {
            let folder = try TemporaryFolder("sluice-activation")
            let path = folder.url.appendingPathComponent("in.sock").path
            let node = try await InfluxNode.started("a")
            let own = try FreePort.next()
            let gateway = try GatewayProcess(
                nodes: [("a", node.url)],
                .init(["listeners": "[{listen: \"unix:\(path)\"}, {listen: 127.0.0.1:\(own)}]"]))
            let manager = try Self.launch(gateway, tcp: gateway.port, path: path, folder: folder)
            try await gateway.waitUntilHealthy()
            try await gateway.waitUntilInSync()
            try await gateway.client.execute("CREATE DATABASE t")
            #expect(try await Self.curl(path, ["http://h/ping"]) == "204")
            #expect(try await InfluxClient(port: own).send(.get, "/ping").status == 204)

            // Each write has a connection of its own: one that is refused, reset or unanswered would show.
            let end = Flag()
            let port = gateway.port
            async let load = Self.write(until: end, port: port)
            var restarts = 0
            while restarts < 3 {
                let epoch = try await gateway.status().log.epoch
                manager.signal(SIGUSR1)
                try await eventually("the next process is up", within: .seconds(60)) {
                    try await gateway.status().log.epoch > epoch ? true : nil
                }
                try await gateway.waitUntilInSync()
                restarts += 1
            }
            end.set()
            let (written, failures) = try await load
            #expect(failures == [], "\(failures.prefix(5))")
            #expect(written > 10)
            #expect(try await gateway.client.count("v", of: "m", db: "t") == written)

            let out = String(decoding: try Data(contentsOf: manager.standardOutput), as: UTF8.self)
            #expect(out.split(separator: "\n").count { $0.hasPrefix("started") } == 4, "\(out)")
            #expect(out.split(separator: "\n").filter { $0.hasPrefix("ended") }.allSatisfy { $0 == "ended 0" })
            #expect(Self.mode(path) != nil, "the socket is not ours to remove")
            manager.signal(SIGTERM)
            #expect(try await manager.waitForExit() == .exited(0))
        }

        private static func write(until end: Flag, port: Int) async throws -> (written: Int, failures: [String]) {
            await withTaskGroup(of: (Int, [String]).self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        var written = 0
                        var failures: [String] = []
                        while !end.isSet, failures.count < 5 {
                            do {
                                let connection = try RawConnection(port: port)
                                let body = "m,w=\(writer) v=1i \(written + 1)"
                                await connection.send(
                                    "POST /write?db=t HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                                let answer = await connection.receiveAnswer(within: .seconds(40))
                                if answer.hasPrefix("HTTP/1.1 204") {
                                    written += 1
                                } else {
                                    failures.append("write \(written) of \(writer): \(answer.prefix(300))")
                                }
                            } catch {
                                failures.append("\(error)")
                            }
                        }
                        return (written, failures)
                    }
                }
                return await group.reduce(into: (0, [])) { $0 = ($0.0 + $1.0, $0.1 + $1.1) }
            }
        }

        @Test("a passed socket that belongs to no listener is refused in words")
        func unmatched() async throws {
            let folder = try TemporaryFolder("sluice-activation")
            let path = folder.url.appendingPathComponent("in.sock").path
            let gateway = try GatewayProcess(nodes: [("a", "http://127.0.0.1:1")])
            let manager = try Self.launch(gateway, tcp: gateway.port, path: path, folder: folder)
            #expect(try await manager.waitForExit() == .exited(0))
            let errors = String(decoding: try Data(contentsOf: manager.standardError), as: UTF8.self)
            #expect(
                errors.contains(
                    "the socket unix:\(path) (local) was passed by the service manager, and no listener has this address"
                ), "\(errors)")

            // Variables that were meant for another process mean nothing.
            try gateway.launch(environment: ["LISTEN_PID": "1", "LISTEN_FDS": "3"])
            try await gateway.waitUntilHealthy()
            #expect(try await gateway.stop() == .exited(0))
        }
    }
}
