"""`influx`, the shell of InfluxDB 1.x, as Debian ships it."""

import gzip
import os
import pty
import re
import select
import subprocess
import tempfile
import time

from cluster import ClientTest, eventually

INFLUX = "/usr/bin/influx"
LINES = "".join(
    f'weather,station=s{i % 7},place=north\\ pole t={i}.5,n={i}i,ok={"true" if i % 2 else "false"},'
    f's="line {i}, a ""quote\\" and a {"tab" if i % 3 else "ünï"}" {1500000000000000000 + i * 1000000007}\n'.replace('""', '')
    for i in range(300))


def influx(server, *arguments, environment=None, text=None):
    """Runs the shell once; its exit code, output and errors, with what differs between servers taken out."""
    home = tempfile.mkdtemp(prefix="sluice-influx-home-")
    done = subprocess.run(
        [INFLUX, "-host", "127.0.0.1", "-port", str(server.port), *arguments],
        input=text, capture_output=True, timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": home, **(environment or {})})
    subprocess.run(["rm", "-r", home])
    return done.returncode, neutral(done.stdout, server), neutral(done.stderr, server)


def neutral(output, server):
    """The output without port, progress's times and rates."""
    output = output.replace(f":{server.port}".encode(), b":PORT")
    output = re.sub(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", b"DATE", output)
    output = re.sub(rb"Time elapsed: \S+\.", b"Time elapsed: T.", output)
    return re.sub(rb"Points per second \(PPS\): \d+", b"PPS", output)


class OneShot(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for server in (cls.gateway, cls.alone):
            server.query("CREATE DATABASE metrics")
            server.write(LINES, "metrics")

    def run_both(self, *arguments, **options):
        return self.both(lambda server: influx(server, *arguments, **options))

    def test_formats(self):
        """-execute prints the same bytes as with a single InfluxDB, in each format and precision"""
        statements = [
            "SHOW MEASUREMENTS", "SHOW TAG VALUES WITH KEY = station", "SHOW FIELD KEYS",
            "SHOW RETENTION POLICIES", "SELECT * FROM weather LIMIT 5", "SELECT * FROM weather GROUP BY * LIMIT 2",
            "SELECT mean(t) FROM weather WHERE time < 1500000100s GROUP BY time(1m), station",
            "SELECT count(t) FROM weather; SHOW MEASUREMENTS; SELECT last(s) FROM weather",
            "SELECT * FROM nothing", "SELECT * FROM", "SELECT nofunction(t) FROM weather", "SELECT t FROM nodb..weather",
            "EXPLAIN SELECT t FROM weather", "SHOW USERS", "DROP MEASUREMENT nothing", "nonsense",
        ]
        for statement in statements:
            for form in (["json"], ["json", "-pretty"], ["csv"], ["column"]):
                with self.subTest(statement=statement, form=form):
                    self.run_both("-database", "metrics", "-execute", statement, "-format", *form)
        for precision in ("rfc3339", "h", "m", "s", "ms", "u", "ns"):
            with self.subTest(precision=precision):
                code, output, _ = self.run_both(
                    "-database", "metrics", "-execute", "SELECT t FROM weather LIMIT 3", "-precision", precision)
                self.assertEqual(code, 0)
                self.assertIn(b"weather", output)

    def test_databases(self):
        """SHOW DATABASES shows the client's databases, and not the gateway's own"""
        code, output, _ = influx(self.gateway, "-execute", "SHOW DATABASES", "-format", "csv")
        self.assertEqual(code, 0)
        self.assertIn(b"metrics", output)
        self.assertNotIn(b"_sluice", output)

    def test_insert(self):
        """-execute INSERT writes a point, with and without a retention policy"""
        self.run_both("-execute", "CREATE DATABASE inserted WITH DURATION 30d NAME month; "
                                  "CREATE RETENTION POLICY year ON inserted DURATION 365d REPLICATION 1")
        now = int(time.time()) * 1000000000
        for statement in (f"INSERT m,a=b v=1 {now}", f"INSERT INTO year m,a=c v=2,s=\"x y\" {now}", "INSERT m v=x",
                          f"INSERT m,a=b v=true {now}"):
            with self.subTest(statement=statement):
                self.run_both("-database", "inserted", "-precision", "ns", "-execute", statement)
        self.require_same_as_alone("inserted")

    def test_big_answer(self):
        """an answer of a hundred thousand rows arrives whole as CSV"""
        for server in (self.gateway, self.alone):
            server.query("CREATE DATABASE big")
            for part in range(10):
                server.write("".join(
                    f"big,host=h{i % 11} v={i},w={i % 13}i {1600000000000000000 + i * 1000000}\n"
                    for i in range(part * 10000, part * 10000 + 10000)), "big")
        code, output, _ = self.run_both("-database", "big", "-execute", "SELECT * FROM big", "-format", "csv")
        self.assertEqual(code, 0)
        self.assertEqual(output.count(b"\n"), 100001)

    def test_import(self):
        """-import takes an export, plain and compressed, and nothing of it is missing"""
        export = ("# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z\n# DDL\n"
                  "CREATE DATABASE imported WITH NAME forever\n"
                  "CREATE RETENTION POLICY other ON imported DURATION INF REPLICATION 1\n# DML\n"
                  "# CONTEXT-DATABASE:imported\n# CONTEXT-RETENTION-POLICY:forever\n# writing tsm data\n"
                  + "".join(f"disk,path=/p{i % 5} used={i}i,free={i}.25 {1400000000000000000 + i * 1000000000}\n"
                            for i in range(12000))
                  + "# CONTEXT-DATABASE:imported\n# CONTEXT-RETENTION-POLICY:other\n"
                  + "".join(f"disk,path=/q used={i}i {1400000000000000000 + i * 1000000000}\n" for i in range(10))
                  + "not a line\n")
        with tempfile.NamedTemporaryFile(suffix=".txt") as plain, tempfile.NamedTemporaryFile(suffix=".gz") as packed:
            plain.write(export.encode())
            plain.flush()
            packed.write(gzip.compress(export.replace("imported", "imported2").encode()))
            packed.flush()
            for arguments in (["-import", f"-path={plain.name}"], ["-import", f"-path={packed.name}", "-compressed"]):
                with self.subTest(arguments=arguments):
                    mine = influx(self.gateway, *arguments)
                    theirs = influx(self.alone, *arguments)
                    self.require_same(mine, theirs)
                    # A batch with a bad line counts as failed as a whole, though its other lines are written.
                    self.assertIn(b"Processed 12000 inserts", mine[1] + mine[2])
        self.require_same_as_alone("imported", "imported2")
        self.assertEqual(self.gateway.rows("SELECT count(used) FROM forever.disk", "imported"), [[0, 12000]])

    def test_standard_input(self):
        """a script on standard input is played as InfluxDB plays it"""
        script = "CREATE DATABASE piped; CREATE RETENTION POLICY r ON piped DURATION 1h REPLICATION 1;\nSHOW DATABASES"
        code, output, _ = influx(self.gateway, text=script.encode())
        self.assertEqual(code, 0)
        self.assertIn(b"piped", output)
        influx(self.alone, text=script.encode())
        for text in (b"SHOW RETENTION POLICIES ON piped", b"USE piped\nSELECT * FROM p", b"", b";"):
            with self.subTest(text=text):
                self.run_both(text=text)


class Interactive(ClientTest):
    """The shell on a terminal."""

    def session(self, server, lines):
        home = tempfile.mkdtemp(prefix="sluice-influx-home-")
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(HOME=home, TERM="dumb")
            os.execv(INFLUX, [INFLUX, "-host", "127.0.0.1", "-port", str(server.port)])
        printed = b""

        def until_prompt():
            nonlocal printed
            begin, deadline = len(printed), time.monotonic() + 30
            while not printed[begin:].rstrip(b" ").endswith(b">"):
                if time.monotonic() > deadline:
                    raise AssertionError(f"no prompt: {printed[-1000:]}")
                if select.select([terminal], [], [], 0.2)[0]:
                    try:
                        printed += os.read(terminal, 65536)
                    except OSError:
                        return
            # What still comes belongs to the same answer.
            while select.select([terminal], [], [], 0.1)[0]:
                printed += os.read(terminal, 65536)

        try:
            until_prompt()
            for line in lines:
                os.write(terminal, line.encode() + b"\r")
                until_prompt()
            os.write(terminal, b"exit\r")
            eventually("the shell ends", lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, within=10)
            pid = 0
        finally:
            if pid:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
            os.close(terminal)
            subprocess.run(["rm", "-r", home])
        text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", printed).replace(f":{server.port}".encode(), b":PORT")
        return text.replace(b"\r", b"")

    def test_session(self):
        """use, insert, precision, chunked, settings and several statements work on a terminal"""
        lines = [
            "CREATE DATABASE shell", "use shell", "insert cpu,host=a v=1 1000000000", "insert cpu,host=b v=2 2000000000",
            "insert cpu,host=a v=\"no\" 3000000000", "select * from cpu", "precision rfc3339", "select * from cpu",
            "precision s", "select * from cpu; show measurements; show tag keys", "format json", "select * from cpu",
            "format column", "chunked", "select * from cpu", "chunk size 1", "select * from cpu", "consistency quorum",
            "insert cpu,host=c v=3 4000000000", "use nodb", "use shell.autogen", "insert cpu,host=d v=4 5000000000",
            "select count(v) from cpu group by host", "DELETE FROM cpu WHERE host='a'", "select * from cpu",
            "DROP MEASUREMENT cpu", "show measurements", "insert cpu,host=e v=5 6000000000",
            "CREATE RETENTION POLICY rp ON shell DURATION 2h REPLICATION 1", "show retention policies",
        ]
        mine, theirs = self.session(self.gateway, lines), self.session(self.alone, lines)
        self.assertIn(b"1970-01-01T00:00:02Z", mine)
        self.assertEqual(mine.splitlines(), theirs.splitlines())
        self.require_same_as_alone("shell")


class WithAuthentication(ClientTest):
    authentication = True

    def test_credentials(self):
        """-username and -password and the environment are understood"""
        root = ["-username", "root", "-password", "toor"]

        def session(server):
            answers = [
                influx(server, *root, "-execute", "CREATE DATABASE shut; CREATE USER w WITH PASSWORD 'w word'; "
                                                  "GRANT WRITE ON shut TO w; SHOW USERS; SHOW GRANTS FOR w"),
                influx(server, "-username", "w", "-password", "w word", "-database", "shut",
                       "-execute", "INSERT m v=1 1"),
                influx(server, "-username", "w", "-password", "w word", "-database", "shut",
                       "-execute", "SELECT * FROM m"),
                influx(server, "-username", "w", "-password", "wrong", "-database", "shut",
                       "-execute", "INSERT m v=2 2"),
                influx(server, "-execute", "SHOW DATABASES"),
                influx(server, *root, "-database", "shut", "-execute", "SELECT * FROM m"),
                influx(server, "-database", "shut", "-execute", "SELECT * FROM m",
                       environment={"INFLUX_USERNAME": "root", "INFLUX_PASSWORD": "toor"}),
                influx(server, "-database", "shut", "-execute", "SELECT * FROM m",
                       environment={"INFLUX_USERNAME": "root", "INFLUX_PASSWORD": "wrong"}),
            ]
            return answers

        answers = self.both(session)
        self.assertIn(b"1    1", answers[6][1])
        self.require_same_as_alone("shut")
