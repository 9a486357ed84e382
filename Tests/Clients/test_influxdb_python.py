"""influxdb-python 5.3, the library of most Python programs that use InfluxDB 1.x. Its answers come as MessagePack."""

import datetime
import math
import unittest

import pandas
from influxdb import DataFrameClient, InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

from cluster import ClientTest, eventually, free_port, knows

BASE = 1500000000


def client(server, kind=InfluxDBClient, **options):
    return kind("127.0.0.1", server.port, server.user or "root", server.password or "root", **options)


def points(result):
    return list(result.get_points())


def answer(call):
    """What a call returns, or what it raises, as something that can be compared."""
    try:
        return call()
    except InfluxDBClientError as error:
        return f"{error.code}: {error}"


class Library(ClientTest):
    def fresh(self, name):
        """A client of each server with a new database."""
        clients = [client(server, database=name) for server in (self.gateway, self.alone)]
        for each in clients:
            each.create_database(name)
        return clients

    def test_writes(self):
        """points as dictionaries and as lines, in batches, precisions, policies and consistencies, arrive the same"""
        for each in self.fresh("written"):
            each.create_retention_policy("year", "INF", "1", database="written")
            each.create_retention_policy("first", "INF", "1", database="written", default=True, shard_duration="7d")
            dictionaries = [
                {"measurement": "cpu", "tags": {"host": f"h {i % 3}", "rack": None, "empty": ""}, "time": (BASE + i) * 10**9,
                 "fields": {"float": i / 3, "int": i, "text": f'a "quote", {i} ü\\n', "yes": i % 2 == 0, "none": None}}
                for i in range(1000)]
            self.assertTrue(each.write_points(dictionaries))
            self.assertTrue(each.write_points(dictionaries[:17], batch_size=5, retention_policy="year"))
            self.assertTrue(each.write_points(
                [{"measurement": "times", "fields": {"v": 1.5}, "time": datetime.datetime(2020, 2, 29, 12, 0, 1, 999999)},
                 {"measurement": "times", "fields": {"v": 2.5}, "time": "2020-02-29T12:00:02.5Z"}]))
            for precision, factor in (("s", 1), ("ms", 10**3), ("u", 10**6), ("n", 10**9), ("m", None), ("h", None)):
                time = {"m": BASE // 60, "h": BASE // 3600}.get(precision) or BASE * factor
                self.assertTrue(each.write_points(
                    [{"measurement": "precise", "tags": {"p": precision}, "time": time, "fields": {"v": 1}}],
                    time_precision=precision))
            for consistency in ("any", "one", "quorum", "all"):
                self.assertTrue(each.write_points(
                    [{"measurement": "consistent", "tags": {"c": consistency}, "time": BASE, "fields": {"v": 1}}],
                    consistency=consistency, time_precision="s"))
            self.assertTrue(each.write_points([f"lines,a=b v={i}i {BASE + i}" for i in range(50)], protocol="line",
                                              time_precision="s", tags={"unused": "1"}))
            self.assertTrue(each.write("one v=1 1\none v=2 2", {"db": "written", "rp": "year"}, protocol="line"))
        self.require_same_as_alone("written")

    def test_refusals(self):
        """what InfluxDB refuses is refused in its words, and the rest of a batch is written"""
        def session(each):
            return [
                answer(lambda: each.write_points([{"measurement": "m", "time": BASE, "fields": {"v": 1.0}}])),
                answer(lambda: each.write_points(["m v=true 5", "m w=2 6", "n v=1 7"], protocol="line")),
                answer(lambda: each.write_points(["m v=", "m w=2 8"], protocol="line")),
                answer(lambda: each.write_points(["m v=1 9"], protocol="line", database="nowhere")),
                answer(lambda: each.write_points(["m v=1 9"], protocol="line", consistency="all")),
                answer(lambda: each.query("SELECT")), answer(lambda: each.query("SELECT * FROM nowhere..m")),
                answer(lambda: each.drop_user("nobody")),
                answer(lambda: each.create_retention_policy("short", "1m", "1")),
            ]
        mine, theirs = [session(each) for each in self.fresh("refused")]
        self.assertEqual(mine, theirs)
        self.require_same_as_alone("refused")

    def test_queries(self):
        """results, parameters, epochs, chunks, several statements and both methods give what InfluxDB gives"""
        def session(each):
            each.write_points([f"cpu,host=h{i % 3},dc=d{i % 2} v={i}.5,n={i}i,s=\"t{i}\",b={i % 2 == 0} {BASE + i}"
                               for i in range(500)], protocol="line", time_precision="s")
            got = []
            # It cannot read chunks of MessagePack, from InfluxDB neither.
            chunked = InfluxDBClient(each._host, each._port, database="asked", headers={"Accept": "application/json"})
            for statement in ("SELECT * FROM cpu", "SELECT mean(v), max(n) FROM cpu GROUP BY dc, host",
                              "SELECT * FROM cpu GROUP BY * LIMIT 3", "SHOW TAG VALUES WITH KEY IN (host, dc)",
                              "SHOW SERIES", "SELECT * FROM empty", "SHOW FIELD KEYS", "SELECT count(*) FROM /c.*/"):
                got.append(each.query(statement).raw)
                got.append(each.query(statement, method="POST").raw)
                for epoch in ("ns", "u", "ms", "s", "m", "h"):
                    got.append(each.query(statement, epoch=epoch).raw)
                got.append([part.raw for part in chunked.query(statement, chunked=True, chunk_size=7)])
            results = each.query("SELECT v FROM cpu LIMIT 2; SELECT n FROM cpu LIMIT 1; SHOW MEASUREMENTS")
            got.append([result.raw for result in results])
            bound = {"host": "h1", "least": 400}
            got.append(each.query("SELECT v FROM cpu WHERE host = $host AND n >= $least", bind_params=bound).raw)
            got.append(points(each.query("SELECT v FROM cpu WHERE time < 1500000003s")))
            got.append(each.query("DELETE FROM cpu WHERE host = 'h0'", method="POST").raw)
            got.append(each.query("SELECT count(v) FROM cpu").raw)
            return got
        mine, theirs = [session(each) for each in self.fresh("asked")]
        self.require_same(mine, theirs)
        self.require_same_as_alone("asked")

    def test_formats(self):
        """the answers are the same as JSON as they are as MessagePack"""
        self.gateway.query("CREATE DATABASE formats")
        self.gateway.write("m,t=x f=1.5,i=2i,s=\"x\",b=true 1500000000000000001", "formats")
        got = []
        for headers in ({"Accept": "application/json"}, {"Accept": "application/x-msgpack"}):
            each = client(self.gateway, database="formats", headers=headers, gzip=True)
            got.append(points(each.query("SELECT * FROM m", epoch="ns")))
        self.assertEqual(got[0], got[1])
        self.assertEqual(got[0], [{"time": 1500000000000000001, "b": True, "f": 1.5, "i": 2, "s": "x", "t": "x"}])

    def test_gzip(self):
        """compressed requests are understood"""
        for server in (self.gateway, self.alone):
            each = client(server, database="packed", gzip=True)
            each.create_database("packed")
            each.write_points([f"m v={i} {i + 1}" for i in range(5000)], protocol="line")
        self.require_same_as_alone("packed")

    def test_administration(self):
        """databases, policies, users, grants and continuous queries are made, listed and dropped"""
        def session(each):
            got = []
            each.create_database("one")
            each.create_database("one")
            each.create_retention_policy("rp", "3d", "1", database="one", default=True)
            each.alter_retention_policy("rp", database="one", duration="4d", shard_duration="1h", default=True)
            got.append(each.get_list_retention_policies("one"))
            each.create_user("user", "pass'word")
            each.create_user("chief", "secret", admin=True)
            each.grant_privilege("write", "one", "user")
            got += [each.get_list_users(), each.get_list_privileges("user")]
            each.set_user_password("user", "other")
            each.revoke_privilege("write", "one", "user")
            each.revoke_admin_privileges("chief")
            each.grant_admin_privileges("user")
            got += [each.get_list_users(), each.get_list_privileges("user")]
            each.create_continuous_query("cq", "SELECT mean(v) INTO avg FROM m GROUP BY time(1h)", "one", "EVERY 2h")
            got.append([entry for entry in each.get_list_continuous_queries() if "one" in entry])
            each.drop_continuous_query("cq", "one")
            each.write_points(["m,a=1 v=1 1", "m,a=2 v=2 1", "n v=1 1"], protocol="line", database="one",
                              retention_policy="autogen")
            each.switch_database("one")
            got += [each.get_list_measurements(), each.get_list_series("one"), each.get_list_series("one", "m", {"a": "1"})]
            each.delete_series("one", "m", {"a": "1"})
            got.append(each.get_list_series("one"))
            each.drop_measurement("n")
            got.append(each.get_list_measurements())
            each.drop_retention_policy("rp", "one")
            got.append(each.get_list_retention_policies("one"))
            each.drop_user("user")
            each.drop_user("chief")
            got.append(each.get_list_users())
            each.create_database("two")
            got.append({"name": "two"} in each.get_list_database())
            each.drop_database("two")
            got.append({"name": "two"} in each.get_list_database())
            return got
        mine, theirs = [session(client(server)) for server in (self.gateway, self.alone)]
        self.require_same(mine, theirs)
        self.assertNotIn({"name": "_sluice"}, client(self.gateway).get_list_database())

    def test_ping(self):
        """ping tells the version of the nodes"""
        self.assertEqual(client(self.gateway).ping(), client(self.alone).ping())

    def test_data_frames(self):
        """pandas' data frames are written and read back"""
        index = pandas.date_range("2024-03-01", periods=500, freq="17s", tz="UTC")
        frame = pandas.DataFrame(
            {"t": [math.sin(i / 9) for i in range(500)], "n": range(500), "word": [f"w {i}" for i in range(500)],
             "ok": [i % 3 == 0 for i in range(500)], "site": [f"s{i % 2}" for i in range(500)]}, index=index)
        frame.loc[index[5], "t"] = None

        def session(server):
            each = client(server, DataFrameClient, database="frames")
            each.create_database("frames")
            self.assertTrue(each.write_points(frame, "weather", tag_columns=["site"], tags={"all": "yes"},
                                              batch_size=100, protocol="line"))
            self.assertTrue(each.write_points(frame[["t", "n"]], "coarse", time_precision="s"))
            return [each.query("SELECT * FROM weather")["weather"], each.query("SELECT t, n FROM coarse")["coarse"],
                    each.query("SELECT mean(t) FROM weather GROUP BY site, time(10m)")]
        mine, theirs = session(self.gateway), session(self.alone)
        for a, b in zip(mine[:2], theirs[:2]):
            pandas.testing.assert_frame_equal(a, b)
        self.assertEqual(mine[2].keys(), theirs[2].keys())
        for key in mine[2]:
            pandas.testing.assert_frame_equal(mine[2][key], theirs[2][key])
        read = mine[0].drop(columns=["all"])[list(frame.columns)]
        pandas.testing.assert_frame_equal(read, frame, check_freq=False, check_dtype=False, check_names=False)
        self.require_same_as_alone("frames")


class WithAuthentication(ClientTest):
    authentication = True

    def test_users(self):
        """a user made through the gateway may what was granted, at once, and nothing else"""
        def session(server):
            root = client(server)
            root.create_database("own")
            root.create_user("ann", "a:n n")
            got = []
            ann = InfluxDBClient("127.0.0.1", server.port, "ann", "a:n n", "own")
            got.append(answer(lambda: ann.write_points(["m v=1 1"], protocol="line")))
            root.grant_privilege("write", "own", "ann")
            got.append(answer(lambda: ann.write_points(["m v=1 1"], protocol="line")))
            got.append(answer(lambda: ann.query("SELECT * FROM m").raw))
            root.grant_privilege("all", "own", "ann")
            got.append(answer(lambda: ann.query("SELECT * FROM m").raw))
            got.append(answer(lambda: ann.create_database("more")))
            root.set_user_password("ann", "new")
            got.append(answer(lambda: ann.write_points(["m v=2 2"], protocol="line")))
            ann.switch_user("ann", "new")
            got.append(answer(lambda: ann.write_points(["m v=3 3"], protocol="line")))
            root.drop_user("ann")
            got.append(answer(lambda: ann.write_points(["m v=4 4"], protocol="line")))
            got.append(answer(lambda: ann.query("SELECT * FROM m").raw))
            return got
        self.both(session)
        self.require_same_as_alone("own")


class Datagrams(ClientTest):
    udp_database = "udp"

    @classmethod
    def prepare(cls):
        cls.port = free_port()
        cls.keys = f"udp:\n  - {{listen: 127.0.0.1:{cls.port}, database: udp, batch_timeout: 20ms}}"
        if not knows(cls.keys):
            raise unittest.SkipTest("this gateway has no listeners for UDP")

    def test_udp(self):
        """points sent as datagrams are on all nodes"""
        for server, port in ((self.gateway, self.port), (self.alone, self.alone.udp_port)):
            server.query("CREATE DATABASE udp")
            each = InfluxDBClient("127.0.0.1", server.port, database="udp", use_udp=True, udp_port=port)
            for i in range(200):
                each.write_points([{"measurement": "m", "tags": {"a": "b"}, "time": BASE * 10**9 + i,
                                    "fields": {"v": float(i)}}])
            eventually("all datagrams are stored", lambda: server.rows("SELECT count(v) FROM m", "udp") == [[0, 200]])
        self.require_same_as_alone("udp")
