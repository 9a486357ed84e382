// A proxy that maps measurements to backends becomes exact rules.
import Operations
import Testing

@Suite("Import of a proxy with keymaps")
struct KeymapsImportTests {
    @Test("keymaps become rules by exact name, _default_ the default; prefixes are said to be none")
    func plain() throws {
        let made = try imported(
            """
            {
                "proxy": {"listenAddr": ":7076", "db": "test", "zone": "local", "interval": 10, "idleTimeout": 10,
                    "writeTracing": 0, "queryTracing": 0},
                "backends": {
                    "local-1": {"url": "http://10.0.0.1:8086", "zone": "local", "interval": 1000, "timeout": 10000,
                        "timeoutQuery": 600000, "maxRowLimit": 10000, "checkInterval": 1000, "rewriteInterval": 10000},
                    "local-2": {"url": "http://10.0.0.2:8086", "zone": "local"},
                    "far": {"url": "http://10.1.0.1:8086", "zone": "remote", "writeOnly": 1}
                },
                "keymaps": {
                    "cpu": ["local-1", "local-2"],
                    "disk io": ["local-2"],
                    "_default_": ["local-1", "far"]
                }
            }
            """, as: "proxy.json")
        #expect(
            made == """
                # Made by sluice import-config from proxy.json, a proxy that maps measurements to backends.
                # Read the comments, then run: sluice check --config FILE
                # - interval of the backends is left out: points are not held back to make batches
                # - timeout of the backends is left out: see ack_timeout; a slow node does not end a write
                # - timeoutQuery of the backends is left out: see query.timeout
                # - maxRowLimit of the backends is left out: points are not held back to make batches
                # - checkInterval of the backends is left out: see ping_interval
                # - rewriteInterval of the backends is left out: a node gets what it lacks as soon as it is back
                # - the proxy let clients use the database test alone; here policy.databases can close others
                # - interval: 10 is left out: points are not held back to make batches
                # - idleTimeout: 10 is left out: see limits.idle_timeout
                # - writeTracing: 0 is left out: see log_level
                # - queryTracing: 0 is left out: see log_level
                # - here a name is exact. Some versions of the proxy also sent measurements whose names only began with a key to
                #   its backends. If yours did, add this to placement:
                #   patterns:
                #     - {match: "cpu*", on: [local-1, local-2]}
                #     - {match: "disk io*", on: [local-2]}

                listen: 0.0.0.0:7076
                zone: local
                nodes:
                  - {name: local-1, url: http://10.0.0.1:8086, zone: local}
                  - {name: local-2, url: http://10.0.0.2:8086, zone: local}
                  - {name: far, url: http://10.1.0.1:8086, zone: remote, role: write-only}
                placement:
                  default: [local-1, far]
                  measurements:
                    cpu: [local-1, local-2]
                    "disk io": [local-2]

                """)
    }

    @Test("older files: capital keys, a list of backends, one server with several databases, proxies by name")
    func older() throws {
        let made = try imported(
            """
            {"BACKENDS": {
                "influxdb-1": {"url": "http://localhost:8086", "db": "test01"},
                "influxdb-2": {"url": "http://localhost:8086", "db": "test02"},
                "influx db 3": {"url": "http://localhost:8087", "db": "test03"}},
             "KEYMAPS": {"temperature": ["influxdb-1", "influxdb-2", "influx db 3", "gone"], "empty": []},
             "NODES": {"l1": {"listenaddr": ":6666", "zone": "here", "nexts": "influxdb-1"}, "l2": {"listenaddr": ":6667"}},
             "DEFAULT_NODE": {"listenaddr": ":7076"}}
            """, as: "proxy.json",
            warnings: ["placement has no default: points that no rule places are refused"])
        #expect(
            made.hasSuffix(
                """

                listen: 0.0.0.0:6666
                zone: here
                nodes:
                  - {name: influxdb-1, url: http://localhost:8086}
                  - {name: influx-db-3, url: http://localhost:8087}
                placement:
                  measurements:
                    temperature: [influxdb-1, influx-db-3]

                """), "\(made)")
        for remark in [
            "influxdb-2 is the same server as influxdb-1", "the name influx db 3 cannot be used here",
            "the backend influxdb-1 kept everything in its database test01",
            "of the proxies l1, l2 the first was taken",
            "names the backend gone, which there is not", "the rule for empty names no backend and is left out",
            "nexts: influxdb-1 got everything", "there is no _default_",
        ] {
            #expect(made.contains(remark), "\(remark): \(made)")
        }
        let list = try imported(
            #"{"proxy": {}, "backends": [{"name": "x", "url": "http://h:1", "username": "u", "password": "p\"w"}], "keymaps": {"_default_": ["x"]}}"#,
            as: "proxy.json")
        #expect(list.contains(#"{name: x, url: http://h:1, username: u, password: "p\"w"}"#), "\(list)")
    }

    @Test("a backend that was only written to is read where nothing else holds the data")
    func writeOnly() throws {
        let made = try imported(
            #"{"proxy": {}, "backends": {"a": {"url": "http://a:1", "writeonly": true}}, "keymaps": {"_default_": ["a"]}}"#,
            as: "proxy.json")
        #expect(!made.contains("role:"))
        #expect(made.contains("a were only written to"))
    }
}
