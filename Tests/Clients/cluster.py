"""Two real InfluxDB servers, a real gateway before them, and a third server alone to compare with.

The tests of this folder run programs and libraries that people use with InfluxDB 1.x against a gateway. Every process
started here dies with the test process (`setpriv --pdeathsig`), and is ended by its own id before that.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

GATEWAY = os.environ.get("SLUICE_BINARY", "sluice")
INFLUXD = "/usr/bin/influxd"

_ports = set()


def free_port():
    """A port of 127.0.0.1 that nobody uses for TCP or UDP, and that is given to nobody else here."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _ports:
            _ports.add(port)
            return port


def eventually(what, body, within=30, every=0.02):
    """The first true value of `body`; an exception counts as not yet, and is told when the time is over."""
    deadline = time.monotonic() + within
    last = None
    while True:
        try:
            value = body()
            if value:
                return value
            last = repr(value)
        except Exception as error:  # whatever goes wrong may be right a moment later
            last = repr(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}; last: {last}")
        time.sleep(every)


class Process:
    """A program with its output in a file."""

    def __init__(self, name, arguments, folder, environment=None):
        self.name = name
        self.output = os.path.join(folder, name + ".out")
        with open(self.output, "ab") as output:
            self.child = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--", *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})})

    @property
    def log(self):
        with open(self.output, errors="replace") as file:
            return file.read()

    def send_signal(self, number):
        if self.child.poll() is None:
            os.kill(self.child.pid, number)

    def end(self, number=signal.SIGKILL, within=20):
        self.send_signal(number)
        try:
            return self.child.wait(within)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end within {within} s of signal {number}\n{self.log[-4000:]}")


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:1000]!r}"


class Server:
    """Something that speaks InfluxDB's HTTP API on 127.0.0.1."""

    def __init__(self, port, user=None, password=None):
        self.port, self.user, self.password = port, user, password

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def send(self, method, path, body=None, headers=None, **parameters):
        target = self.url + path
        if parameters:
            target += "?" + urllib.parse.urlencode(parameters)
        request = urllib.request.Request(target, data=body, method=method, headers=headers or {})
        if self.user is not None:
            credential = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_header("Authorization", "Basic " + credential)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Reply(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())

    def query(self, q, db="", **parameters):
        """The answer's bytes; a refusal or an error inside it is an AssertionError."""
        reply = self.send("POST", "/query", q=q, db=db, epoch="ns", **parameters)
        if reply.status != 200 or b'"error"' in reply.body:
            raise AssertionError(f"{q}: {reply}")
        return reply.body

    def series(self, q, db=""):
        """name, tags, columns and values of all series of the first statement."""
        return json.loads(self.query(q, db))["results"][0].get("series", [])

    def rows(self, q, db=""):
        return [row for series in self.series(q, db) for row in series["values"]]

    def names(self, q, db=""):
        return [row[0] for row in self.rows(q, db)]

    def write(self, lines, db, **parameters):
        reply = self.send("POST", "/write", lines.encode(), db=db, **parameters)
        if reply.status != 204:
            raise AssertionError(f"write: {reply}")

    def dump(self, db):
        """Everything that a database holds, in parts that can be compared with another server's."""
        policies = self.series(f'SHOW RETENTION POLICIES ON "{db}"')
        parts = {"policies": policies}
        # Without a default policy these fail, and say so the same everywhere.
        for what in ("FIELD KEYS", "TAG KEYS"):
            parts[what] = self.send("POST", "/query", q=f'SHOW {what} ON "{db}"').body
        for measurement in self.names(f'SHOW MEASUREMENTS ON "{db}"'):
            for policy in [row[0] for row in policies[0]["values"]]:
                quoted = measurement.replace("\\", "\\\\").replace('"', '\\"')
                source = f'"{db}"."{policy}"."{quoted}"'
                parts[source] = self.query(f"SELECT * FROM {source} GROUP BY *")
        return parts


class Node(Server):
    """A real influxd with a folder and ports of its own."""

    def __init__(self, name, authentication=False, udp_database=None):
        super().__init__(free_port())
        self.name = name
        self.folder = tempfile.mkdtemp(prefix=f"sluice-client-node-{name}-")
        self.udp_port = free_port() if udp_database else None
        data = os.path.join(self.folder, "data")
        udp = ""
        if udp_database:
            udp = f"""[[udp]]
enabled = true
bind-address = "127.0.0.1:{self.udp_port}"
database = "{udp_database}"
batch-timeout = "20ms"
"""
        with open(os.path.join(self.folder, "influxdb.conf"), "w") as file:
            file.write(f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{data}/meta"
[data]
dir = "{data}/data"
wal-dir = "{data}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[continuous_queries]
enabled = false
[http]
bind-address = "127.0.0.1:{self.port}"
log-enabled = false
auth-enabled = {str(authentication).lower()}
{udp}""")
        self.process = None

    def launch(self):
        """Starts the server (again) on the same port and data, without waiting for it."""
        configuration = os.path.join(self.folder, "influxdb.conf")
        self.process = Process(
            f"influxd-{self.name}", [INFLUXD, "run", "-config", configuration], self.folder)

    def start(self):
        self.launch()
        eventually(f"node {self.name} answers", lambda: self.send("GET", "/ping").status == 204)

    def end(self):
        if self.process:
            self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Gateway(Server):
    def __init__(self, nodes, keys="", credential=None):
        super().__init__(free_port())
        self.admin = Server(free_port())
        self.folder = tempfile.mkdtemp(prefix="sluice-client-gateway-")
        self.configuration = os.path.join(self.folder, "sluice.yaml")
        extra = f", username: {credential[0]}, password: {credential[1]}" if credential else ""
        entries = "".join(f"  - {{name: {node.name}, url: {node.url}{extra}}}\n" for node in nodes)
        with open(self.configuration, "w") as file:
            file.write(f"listen: 127.0.0.1:{self.port}\nadmin: 127.0.0.1:{self.admin.port}\n"
                       f"data_dir: {self.folder}/data\nnodes:\n{entries}{keys}\n")
        self.process = None

    def launch(self):
        """Starts the gateway (again) on the same port and data, without waiting for it."""
        self.process = Process("sluice", [GATEWAY, "serve", "--config", self.configuration], self.folder)

    def start(self):
        self.launch()
        eventually("the gateway has all nodes in-sync", self.is_in_sync)

    @property
    def status(self):
        return self.admin.send("GET", "/api/v1/status").json

    def is_in_sync(self):
        if self.process.child.poll() is not None:
            raise AssertionError(self.process.log[-4000:])
        return all(node["sync"] == "in-sync" for node in self.status["nodes"])

    def is_drained(self):
        status = self.status
        return all(node["sync"] == "in-sync" and node["cursor"] >= status["log"]["durable_end"]
                   for node in status["nodes"])

    def end(self):
        if self.process:
            self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def knows(keys):
    """Whether the gateway's program accepts these lines of a configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(f"listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\ndata_dir: {tempfile.gettempdir()}/sluice-none\n"
                   f"nodes:\n  - {{name: a, url: http://127.0.0.1:3}}\n{keys}\n")
        file.flush()
        return subprocess.run([GATEWAY, "check", "--config", file.name], capture_output=True).returncode == 0


class ClientTest(unittest.TestCase):
    """A class of tests with a cluster of its own.

    `self.gateway`, `self.nodes` (two), and `self.alone`: a single InfluxDB, which the same sessions are played to.
    After each test the two nodes hold the same in all databases.
    """

    #: nodes with authentication; the administrator is `root` with the password `toor`
    authentication = False
    #: further lines of the gateway's configuration; may be computed in `prepare`
    keys = ""
    #: the database that datagrams to `alone` go to
    udp_database = None
    maxDiff = 4000

    @classmethod
    def prepare(cls):
        """Called before anything starts: the place to raise SkipTest or to choose ports."""

    @classmethod
    def setUpClass(cls):
        cls.servers = []
        cls.prepare()
        try:
            cls.nodes = [cls._server(Node(name, cls.authentication)) for name in "ab"]
            cls.alone = cls._server(Node("alone", cls.authentication, cls.udp_database))
            for node in cls.servers:
                node.start()
                if cls.authentication:
                    node.query("CREATE USER root WITH PASSWORD 'toor' WITH ALL PRIVILEGES")
                    node.user, node.password = "root", "toor"
            cls.gateway = cls._server(
                Gateway(cls.nodes, cls.keys, ("root", "toor") if cls.authentication else None))
            cls.gateway.start()
            if cls.authentication:
                cls.gateway.user, cls.gateway.password = "root", "toor"
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def _server(cls, server):
        cls.servers.append(server)
        return server

    @classmethod
    def tearDownClass(cls):
        for server in reversed(cls.servers):
            server.end()

    def tearDown(self):
        self.require_same_nodes()
        if self.gateway.process.child.poll() is not None:
            self.fail("the gateway ended\n" + self.gateway.process.log[-4000:])

    def require_same_nodes(self):
        eventually("all nodes have everything", self.gateway.is_drained)
        a, b = self.nodes
        schema = [[node.query(q) for q in ("SHOW USERS",)] + [self.databases(node)] for node in (a, b)]
        self.assertEqual(schema[0], schema[1])
        for db in self.databases(a):
            self.require_same(a.dump(db), b.dump(db), f"the nodes differ in {db}")

    def databases(self, server):
        return [name for name in server.names("SHOW DATABASES") if name not in ("_internal", "_sluice")]

    def require_same_as_alone(self, *databases, policies=True):
        """What the gateway answers about these databases is what the single InfluxDB answers."""
        for db in databases:
            mine, theirs = self.gateway.dump(db), self.alone.dump(db)
            if not policies:
                mine.pop("policies"), theirs.pop("policies")
            self.require_same(mine, theirs, f"the gateway's {db} is not that of a single InfluxDB")
            self.assertGreater(len(mine), 3, f"there is nothing in {db}")

    def both(self, session):
        """Plays a session to the gateway and to the single InfluxDB; what it returns must be the same."""
        mine, theirs = session(self.gateway), session(self.alone)
        self.require_same(mine, theirs)
        return mine

    def require_same(self, mine, theirs, what=""):
        """As assertEqual, but quick to say where two large values begin to differ."""
        if mine == theirs:
            return
        mine, theirs = repr(mine), repr(theirs)
        at = next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))
        begin = max(0, at - 200)
        self.fail(f"{what}: {len(mine)} and {len(theirs)} characters, the first difference at {at}:\n"
                  f"  gateway: ...{mine[begin:at + 400]}\n  alone:   ...{theirs[begin:at + 400]}")
