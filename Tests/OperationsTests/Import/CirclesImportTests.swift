// A proxy with circles becomes a hash over zones.
import Operations
import Testing

@Suite("Import of a proxy with circles")
struct CirclesImportTests {
    @Test("circles become zones, with as many replicas; that the data must move is said first")
    func json() throws {
        let made = try imported(
            """
            {
                "circles": [
                    {"name": "circle-1", "backends": [
                        {"name": "influxdb-1-1", "url": "http://127.0.0.1:8086", "username": "", "password": ""},
                        {"name": "influxdb-1-2", "url": "http://127.0.0.1:8087", "username": "", "password": ""}]},
                    {"name": "circle-2", "backends": [
                        {"name": "influxdb-2-1", "url": "http://127.0.0.1:8088", "username": "", "password": ""},
                        {"name": "influxdb-2-2", "url": "http://127.0.0.1:8089", "username": "", "password": ""}]}
                ],
                "listen_addr": ":7076", "db_list": ["db1", "db2"], "data_dir": "data", "hash_key": "idx",
                "vnode_size": 256, "flush_size": 10000, "check_interval": 1, "username": "", "auth_secure": false,
                "https_enabled": true, "https_cert": "/etc/p.crt", "https_key": "/etc/p.key"
            }
            """, as: "proxy.json")
        #expect(
            made == """
                # Made by sluice import-config from proxy.json, a proxy with circles of backends.
                # Read the comments, then run: sluice check --config FILE
                # - THE DATA MUST MOVE. Each circle was a copy of everything, spread over its backends by a hash (hash_key idx).
                #   Here each measurement lies on 2 nodes, one in each circle (its zone), chosen by another hash of
                #   database and measurement: where a measurement lies now is not where Sluice looks for it. Begin with empty nodes and
                #   write or copy the data again, or give each measurement a rule of its own under placement.measurements
                # - sluice placement explain DATABASE MEASUREMENT says where Sluice looks for a measurement
                # - the proxy served the databases db1, db2 alone; here policy.databases can close others
                # - data_dir: data is left out: let the proxy deliver what lies there before you change over; Sluice has a data_dir of its own
                # - vnode_size: 256 is left out: the hash needs none
                # - flush_size: 10000 is left out: points are not held back to make batches
                # - check_interval: 1 is left out: see ping_interval

                listen: 0.0.0.0:7076
                tls: {certificate: /etc/p.crt, key: /etc/p.key}
                nodes:
                  - {name: influxdb-1-1, url: http://127.0.0.1:8086, zone: circle-1}
                  - {name: influxdb-1-2, url: http://127.0.0.1:8087, zone: circle-1}
                  - {name: influxdb-2-1, url: http://127.0.0.1:8088, zone: circle-2}
                  - {name: influxdb-2-2, url: http://127.0.0.1:8089, zone: circle-2}
                placement:
                  default: {hash: {replicas: 2}}

                """)
    }

    @Test("YAML; credentials that are encrypted are not taken, tokens are named")
    func yaml() throws {
        let made = try imported(
            """
            circles:
              - name: east
                backends:
                  - {name: a, url: "http://10.0.0.1:8086", username: u, password: p, token: t, auth_encrypt: false}
              - backends:
                  - {name: a, url: "http://10.0.0.2:8086", write_only: true}
                  - {url: "http://10.0.0.3:8086"}
            listen_addr: "127.0.0.1:7076"
            shard_key: "%db,%mm"
            """, as: "proxy.yaml",
            warnings: [
                "node a-2 has no username, and others have one", "node circle-2-2 has no username, and others have one",
            ])
        #expect(
            made.hasSuffix(
                """

                listen: 127.0.0.1:7076
                nodes:
                  - {name: a, url: http://10.0.0.1:8086, zone: east, username: u, password: p}
                  - {name: a-2, url: http://10.0.0.2:8086, zone: circle-2, role: write-only}
                  - {name: circle-2-2, url: http://10.0.0.3:8086, zone: circle-2}
                placement:
                  default: {hash: {replicas: 2, nodes: [a, a-2, circle-2-2]}}

                """), "\(made)")
        #expect(made.contains("(shard_key %db,%mm)") && made.contains("a has a token: that is InfluxDB 2"))
        let sealed = try imported(
            """
            circles: [{name: c, backends: [{name: a, url: "http://h:1", username: YWJj, password: ZGVm}]}]
            auth_encrypt: true
            """, as: "proxy.yaml")
        #expect(!sealed.contains("ZGVm"))
        #expect(sealed.contains("encrypted: give each node its username") && sealed.contains("default: all"))
    }

    @Test(
        "a file of another kind is refused, with the kinds that are known",
        arguments: [
            ("nodes: [{name: a}]", "f is of no known kind"), ("[1, 2]", "f is of no known kind"),
            ("", "f is of no known kind"),
            ("addresses: []", "f names no InfluxDB server"), ("circles: 5", "f names no InfluxDB server"),
            ("addresses: ['ftp://h:1']", "the url \"ftp://h:1\" is not an HTTP address"),
        ])
    func unknown(text: String, expected: String) {
        do throws(ValueFault) {
            _ = try ImportedConfiguration(text: text, name: "f")
            Issue.record("no fault")
        } catch {
            #expect(error.what == expected)
        }
    }
}
