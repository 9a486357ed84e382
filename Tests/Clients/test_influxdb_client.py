"""influxdb-client, the library for InfluxDB 2, on the v2 interface that InfluxDB 1.8 has for it."""

import datetime
import unittest

from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from cluster import ClientTest

BASE = 1500000000


def client(server, token="", **options):
    return InfluxDBClient(url=server.url, token=token, org="-", timeout=30_000, **options)


class WritePlane(ClientTest):
    def setUp(self):
        for server in (self.gateway, self.alone):
            server.query("DROP DATABASE v2")
            server.query("CREATE DATABASE v2")

    def test_writes(self):
        """points, lines and dictionaries in each precision, in a default and a named policy, are on all nodes"""
        self.gateway.query("CREATE RETENTION POLICY year ON v2 DURATION INF REPLICATION 1")
        self.alone.query("CREATE RETENTION POLICY year ON v2 DURATION INF REPLICATION 1")
        with client(self.gateway) as mine:
            api = mine.write_api(write_options=SYNCHRONOUS)
            api.write("v2", record=[Point("cpu").tag("host", f"h {i % 3}").field("v", i / 7).field("n", i)
                                    .field("s", f'"{i}" ü').field("b", i % 2 == 0).time(BASE + i, WritePrecision.S)
                                    for i in range(1000)])
            api.write("v2/year", record={"measurement": "d", "tags": {"a": "b"}, "fields": {"v": 1.5}, "time": BASE},
                      write_precision=WritePrecision.S)
            api.write("v2/", record="slash v=1 1")
            for precision, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
                api.write("v2/autogen", record=f"p,p={precision} v=1 {BASE * factor}", write_precision=precision)
            api.write("v2", record=Point("when").field("v", 1.0).time(
                datetime.datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=datetime.timezone.utc)))
        lines = "".join(f'cpu,host=h\\ {i % 3} v={repr(i / 7)},n={i}i,s="\\"{i}\\" ü",b={str(i % 2 == 0).lower()} '
                        f"{BASE + i}000000000\n" for i in range(1000))
        self.alone.write(lines + f"slash v=1 1\nwhen v=1 1709168523456789000\n"
                         + "".join(f"p,p={p} v=1 {BASE}000000000\n" for p in ("s", "ms", "us", "ns")), "v2")
        self.alone.write(f"d,a=b v=1.5 {BASE}000000000", "v2", rp="year")
        self.require_same_as_alone("v2")

    def test_batching(self):
        """the batching writer, with compression, loses nothing and hears no error"""
        errors, batches = [], []
        with client(self.gateway, enable_gzip=True) as mine:
            with mine.write_api(write_options=WriteOptions(batch_size=700, flush_interval=200, jitter_interval=0),
                                success_callback=lambda conf, data: batches.append(conf),
                                error_callback=lambda conf, data, error: errors.append(error)) as api:
                for i in range(5000):
                    api.write("v2", record=f"batched,host=h{i % 5} v={i}i {i + 1}")
        self.assertEqual(errors, [])
        self.assertGreaterEqual(len(batches), 5000 // 700)
        self.assertEqual(self.gateway.rows("SELECT count(v), sum(v) FROM batched", "v2"), [[0, 5000, 12497500]])

    def test_refusals(self):
        """what cannot be stored is refused, and not tried for ever"""
        with client(self.gateway) as mine:
            api = mine.write_api(write_options=SYNCHRONOUS)
            for bucket, line, status, words in (
                    ("nowhere", "m v=1", 404, 'database not found: \\"nowhere\\"'),
                    ("v2", "no line", 400, "unable to parse 'no line'"),
                    ("v2/nope", "m v=1", 500, "retention policy not found: nope")):
                with self.subTest(bucket=bucket, line=line):
                    with self.assertRaises(ApiException) as caught:
                        api.write(bucket, record=line)
                    self.assertEqual(caught.exception.status, status)
                    self.assertIn(words, caught.exception.body)

    def test_ping(self):
        """ping, version, health and ready answer"""
        with client(self.gateway) as mine:
            self.assertTrue(mine.ping())
            self.assertEqual(mine.version(), self.alone.send("GET", "/ping").headers["X-Influxdb-Version"])
            if self.gateway.send("GET", "/health").status == 404:
                self.skipTest("this gateway has no /health")
            self.assertEqual(mine.health().status, "pass")
            self.assertEqual(self.gateway.send("GET", "/ready").status, 200)

    def test_delete(self):
        """the delete API removes what the predicate says, from all nodes"""
        with client(self.gateway) as mine:
            mine.write_api(write_options=SYNCHRONOUS).write(
                "v2", record="".join(f"gone,host=h{i % 2} v={i}i {i + 1}000000000\n" for i in range(10)))
            try:
                mine.delete_api().delete("1970-01-01T00:00:00Z", "1970-01-01T00:00:04.5Z",
                                         '_measurement="gone" AND host="h0"', bucket="v2/autogen")
            except ApiException as error:
                if error.status == 404:
                    self.skipTest("this gateway has no /api/v2/delete")
                raise
        self.assertEqual([row[0] for row in self.gateway.rows("SELECT v FROM gone", "v2")],
                         [s * 10**9 for s in (2, 4, 5, 6, 7, 8, 9, 10)])

    def test_buckets(self):
        """buckets are listed, made and dropped"""
        with client(self.gateway) as mine:
            try:
                buckets = mine.buckets_api()
                names = [bucket.name for bucket in buckets.find_buckets().buckets]
            except ApiException as error:
                if error.status == 404:
                    self.skipTest("this gateway has no /api/v2/buckets")
                raise
            self.assertIn("v2/autogen", names)
            self.assertFalse([name for name in names if name.startswith("_sluice")])
            made = buckets.create_bucket(bucket_name="v2/made", org_id="0123456789abcdef",
                                         retention_rules={"type": "expire", "everySeconds": 7200})
            self.assertEqual(made.name, "v2/made")
            self.assertIn("made", self.nodes[0].names("SHOW RETENTION POLICIES ON v2"))
            buckets.delete_bucket(made)
            self.assertNotIn("made", self.nodes[0].names("SHOW RETENTION POLICIES ON v2"))

    def test_flux(self):
        """a query in Flux is answered by a node, or with the node's own refusal"""
        with client(self.gateway) as mine:
            with self.assertRaises(ApiException) as caught:
                mine.query_api().query('from(bucket: "v2/autogen") |> range(start: 0)')
            # InfluxDB 1.6 has no Flux, and 1.8 says that it is disabled.
            self.assertIn(caught.exception.status, (403, 404))


class WithAuthentication(ClientTest):
    authentication = True

    def test_token(self):
        """name and password, joined by a colon, are the token"""
        self.gateway.query("CREATE DATABASE shut")
        with client(self.gateway, "root:toor") as mine:
            try:
                mine.write_api(write_options=SYNCHRONOUS).write("shut", record="m v=1 1")
            except ApiException as error:
                if error.status == 401:
                    self.skipTest("this gateway knows tokens only if its nodes do, and InfluxDB 1.6 does not")
                raise
        for token in ("root:wrong", "nobody:toor", "root", ""):
            with self.subTest(token=token), client(self.gateway, token) as mine:
                with self.assertRaises(ApiException) as caught:
                    mine.write_api(write_options=SYNCHRONOUS).write("shut", record="m v=2 2")
                self.assertEqual(caught.exception.status, 401)
        self.assertEqual(self.gateway.rows("SELECT count(v) FROM m", "shut"), [[0, 1]])


if __name__ == "__main__":
    unittest.main()
