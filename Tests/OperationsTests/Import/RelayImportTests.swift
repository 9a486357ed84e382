// A relay that writes to all of its addresses becomes nodes that hold everything.
import Operations
import Testing

@Suite("Import of a relay")
struct RelayImportTests {
    @Test("addresses become nodes; what the commit log makes needless is said")
    func plain() throws {
        let made = try imported(
            """
            addresses:
              - 10.0.0.1
              - 10.0.0.2
            port: 8086
            bind_address: 0.0.0.0
            retry_count: 5
            retry_delay: 1000
            query_timeout: 30
            channel_size: 10000
            colour: blue
            """, as: "relay.yaml")
        #expect(
            made == """
                # Made by sluice import-config from relay.yaml, a relay that writes to all of its addresses.
                # Read the comments, then run: sluice check --config FILE
                # - port: 8086 was taken for the port to listen on; the addresses got InfluxDB's own port, 8086
                # - node1, node2, ... are made up. A name stands for the node in the commit log and is not to be changed later:
                #   choose yours before the first start
                # - query_timeout: 30 was taken for seconds
                # - retry_count: 5 is left out: what a node lacks stays in the commit log until it has it, however often that takes
                # - retry_delay: 1000 is left out: a node that is away is asked by ping_interval, and gets its backlog as soon as it is back
                # - channel_size: 10000 is left out: nothing waits in memory; log.max_bytes says how much the commit log may hold
                # - colour: blue has no equal here

                listen: 0.0.0.0:8086
                nodes:
                  - {name: node1, url: http://10.0.0.1:8086}
                  - {name: node2, url: http://10.0.0.2:8086}
                query:
                  timeout: 30s

                """)
    }

    @Test(
        "ports that stand elsewhere are taken from there; one server twice is one node; user and password leave the url"
    )
    func variants() throws {
        let made = try imported(
            """
            addresses: ["http://u:p%40w@influx-a:8087/", "https://influx-b:8088", "HTTP://INFLUX-A:8087", "[::1]:8089"]
            port: 9096
            query_timeout: 1m
            """, as: "relay.yml",
            warnings: [
                "node node2 has no username, and others have one", "node node4 has no username, and others have one",
            ])
        #expect(made.contains("\nlisten: 0.0.0.0:9096\n"))
        #expect(
            made.hasSuffix(
                """
                nodes:
                  - {name: node1, url: http://influx-a:8087, username: u, password: "p@w"}
                  - {name: node2, url: https://influx-b:8088}
                  - {name: node4, url: "http://[::1]:8089"}
                query:
                  timeout: 1m

                """), "\(made)")
        #expect(made.contains("# - node3 is the same server as node1, http://INFLUX-A:8087"))
        let other = try imported(
            "addresses: [influx-a, influx-b]\nport: 8087\nbind_address: 127.0.0.1:9096", as: "relay.yml")
        #expect(other.contains("listen: 127.0.0.1:9096\n"))
        #expect(other.contains("url: http://influx-a:8087}"))
    }

    @Test("what would not start is made to: the port of admin, a username without a password")
    func collisions() throws {
        let made = try imported("addresses: ['http://u@h:1']\nport: 8087\nbind_address: 127.0.0.1", as: "relay.yml")
        #expect(
            made.hasSuffix(
                """

                listen: 127.0.0.1:8087
                admin: 127.0.0.1:8088
                nodes:
                  - {name: node1, url: http://h:1}

                """), "\(made)")
        #expect(made.contains("they moved to 127.0.0.1:8088"))
        #expect(made.contains("node1 has the username u and no password: both are left out"))
    }
}
