// What an operator does at a running gateway: dead letters retried and purged, nodes looked at, the token.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Operator {
        private func sluice(_ arguments: [String], of cluster: TestCluster, folder: Bool = true, admin: Bool = true)
            async throws -> (
                output: String, errors: String, status: TestSupport.ExitStatus
            )
        {
            let place = folder ? ["--data-dir", cluster.gateway.dataFolder.path] : []
            let address = admin ? ["--admin", cluster.gateway.admin.base] : []
            return try await GatewayProcess.run(arguments + address + place)
        }

        private func waitForLetters(_ count: Int, in cluster: TestCluster, db: String = "t") async throws {
            try await eventually("\(count) different dead letters") {
                Set(try await cluster.gateway.deadLetters(db: db).deadLetters.map(\.line)).count == count
            }
        }

        @Test("refused lines are written again after the cause is gone, in their policy and with their precision")
        func retry() async throws {
            try await TestCluster.run { cluster in
                let client = cluster.client
                try await client.execute("CREATE RETENTION POLICY \"week\" ON \"t\" DURATION 7d REPLICATION 1")
                let now = Int(Date.now.timeIntervalSince1970) / 10 * 10
                // The first decides the type; the next two are refused.
                let target = "/write?db=t&rp=week&precision=s"
                #expect(try await client.send(.post, target, body: .bytes(Array("c v=1.5 \(now)".utf8))).status == 204)
                let lines = "c v=\"x\" \(now - 10)\nc w=7i \(now - 20)\nc v=\"y\" \(now - 20)"
                #expect(try await client.send(.post, target, body: .bytes(Array(lines.utf8))).status == 400)
                try await waitForLetters(2, in: cluster)

                let list = try await sluice(["deadletters", "list", "--db", "t"], of: cluster, folder: false)
                #expect(list.status == .exited(0), "\(list.errors)")
                #expect(list.output.contains("field type conflict"), "\(list.output)")

                // As long as the cause stands, the plan says so, and a retry leaves the letters where they are.
                let plan = try await sluice(["deadletters", "retry", "--db", "t"], of: cluster)
                #expect(plan.status == .exited(0), "\(plan.errors)")
                #expect(
                    plan.output.contains("the conflict still stands: v is float, written as string"), "\(plan.output)")
                #expect(plan.output.contains("the old one would replace it"))
                #expect(plan.output.contains("repeat with --yes"))
                let again = try await sluice(["deadletters", "retry", "--db", "t", "--yes"], of: cluster)
                #expect(again.status == .exited(0), "\(again.errors)")
                #expect(again.output.contains("\n0 lines were taken"), "\(again.output)")
                try await waitForLetters(2, in: cluster)

                try await client.execute("DROP MEASUREMENT c", db: "t")
                let retry = try await sluice(
                    ["deadletters", "retry", "--db", "t", "--measurement", "c", "--yes"], of: cluster)
                #expect(retry.status == .exited(0), "\(retry.errors)")
                #expect(
                    retry.output.contains("lines were taken") && !retry.output.contains("again and stay"),
                    "\(retry.output)")
                #expect(try await cluster.gateway.deadLetters(db: "t").deadLetters.isEmpty)
                let answer = try await cluster.sameAnswer("SELECT v FROM week.c")
                #expect(answer.contains("\"x\"") && answer.contains("\"y\""), "\(answer)")
                #expect(try await cluster.sameAnswer("SELECT count(v) FROM week.c").contains("2]"))
            }
        }

        @Test("of many lines those that are still refused stay with the new reason, the others are taken")
        func retryOfMany() async throws {
            try await TestCluster.run { cluster in
                let client = cluster.client
                try #require(try await client.write("m a=1.5,b=1.5 1", db: "t").status == 204)
                let lines = (0..<45).map { $0 % 3 == 0 ? "m a=\"x\" \($0)" : "m b=\"x\" \($0)" }
                #expect(try await client.write(lines.joined(separator: "\n"), db: "t").status == 400)
                try await waitForLetters(45, in: cluster)
                try await client.execute("DROP MEASUREMENT m", db: "t")
                // Now only b is a number.
                try #require(try await client.write("m b=1.5 1", db: "t").status == 204)
                let retry = try await sluice(["deadletters", "retry", "--all", "--yes"], of: cluster)
                #expect(retry.status == .exited(0), "\(retry.errors)")
                let rest = try await cluster.gateway.deadLetters(db: "t").deadLetters
                #expect(Set(rest.map(\.line)) == Set(lines.filter { $0.hasPrefix("m b") }))
                for node in cluster.nodes {
                    #expect(try await node.client.count("a", of: "m", db: "t") == 15)
                }
            }
        }

        @Test("purged letters are gone for good, also after a crash of the gateway right behind the purge")
        func purge() async throws {
            try await TestCluster.run { cluster in
                let client = cluster.client
                try #require(try await client.write("c v=1.5 1", db: "t").status == 204)
                #expect(try await client.write("c v=\"x\" 2\nc v=\"y\" 3", db: "t").status == 400)
                try await waitForLetters(2, in: cluster)
                let ask = try await sluice(["deadletters", "purge", "--all"], of: cluster)
                #expect(ask.output.contains("would be removed for good"), "\(ask.output)\(ask.errors)")
                try await waitForLetters(2, in: cluster)
                let before = try await cluster.gateway.deadLetters(db: "t").total
                // What is sent again after the crash may be refused again; this is about what the log holds.
                try await eventually("the nodes' cursors are on the disk") {
                    let info = try await sluice(["log", "info"], of: cluster, admin: false).output
                    return info.components(separatedBy: "(0 records behind)").count > 2
                }
                let purge = try await sluice(["deadletters", "purge", "--all", "--yes"], of: cluster)
                #expect(purge.status == .exited(0), "\(purge.errors)")
                try await cluster.gateway.kill()
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilInSync()
                #expect(try await client.write("c v=\"z\" 4", db: "t").status == 400)
                try await waitForLetters(1, in: cluster)
                let after = try await cluster.gateway.deadLetters(db: "t")
                #expect(Set(after.deadLetters.map(\.line)) == ["c v=\"z\" 4"])
                #expect(after.total > before)
            }
        }

        @Test("L13 without the token the command line changes nothing and says where the token is")
        func token() async throws {
            try await TestCluster.run { cluster in
                let folder = try TemporaryFolder()
                let wrong = folder.url.appendingPathComponent("token")
                try String(repeating: "0", count: 64).write(to: wrong, atomically: true, encoding: .utf8)
                let commands = [
                    ["nodes", "pause", "b"], ["nodes", "resume", "b"], ["nodes", "trust", "b", "--yes"],
                    ["deadletters", "purge", "--all", "--yes"], ["deadletters", "retry", "--all", "--yes"],
                ]
                for command in commands {
                    let missing = try await sluice(
                        command + ["--data-dir", folder.url.path], of: cluster, folder: false)
                    #expect(missing.status == .exited(1), "\(command)")
                    #expect(missing.errors.contains("--token-file FILE or in SLUICE_ADMIN_TOKEN"), "\(missing.errors)")
                    let refused = try await sluice(command + ["--token-file", wrong.path], of: cluster, folder: false)
                    #expect(refused.status == .exited(1), "\(command)")
                    #expect(refused.errors.contains("does not accept the admin token"), "\(refused.errors)")
                }
                let nodes = try await sluice(["nodes", "list"], of: cluster, folder: false)
                #expect(nodes.output.hasPrefix("NODE "), "\(nodes.output)\(nodes.errors)")
                let unknown = try await sluice(["nodes", "pause", "c"], of: cluster)
                #expect(unknown.errors.contains("there is no node \"c\"; there are a, b"), "\(unknown.errors)")
            }
        }

        @Test("every command and flag in docs/operations.md exists")
        func documentation() async throws {
            let file = ProjectFolder.url.appending(path: "docs/operations.md")
            let blocks = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "```sh\n").dropFirst()
            let lines = blocks.flatMap { $0.components(separatedBy: "\n```")[0].split(separator: "\n") }
            let commands = lines.filter { $0.hasPrefix("sluice ") }
            #expect(commands.count > 10)
            for command in commands {
                let words = command.prefix { $0 != "#" }.split(separator: " ").dropFirst().map(String.init)
                let names = words.prefix { !$0.hasPrefix("-") }.prefix(2)
                let help = try await GatewayProcess.run(names + ["--help"])
                #expect(
                    help.status == .exited(0) && help.output.contains("USAGE: sluice \(names.joined(separator: " "))"))
                for flag in words where flag.hasPrefix("--") {
                    #expect(help.output.contains(flag), "\(command)")
                }
            }
        }
    }
}
