"""Prometheus, as Debian ships it: remote write and remote read through the gateway; and vmctl and VictoriaMetrics, which
take what InfluxDB holds."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from cluster import ClientTest, Process, Server, eventually, free_port


def on_a_terminal(*arguments):
    """Runs a program that draws its progress and insists on a terminal; its exit code and what it printed."""
    master, slave = pty.openpty()
    printed = b""
    with subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave) as child:
        os.close(slave)
        deadline = time.monotonic() + 120
        try:
            while time.monotonic() < deadline and select.select([master], [], [], 1)[0] or child.poll() is None:
                printed += os.read(master, 65536)
        except OSError:
            pass  # all ends of the terminal are closed
        finally:
            os.close(master)
            if time.monotonic() >= deadline:
                child.kill()
        return child.wait(), printed.decode(errors="replace")[-3000:]


class Prometheus(Server):
    """A Prometheus with an empty database of its own."""

    def __init__(self, name, remote, scrapes=None):
        super().__init__(free_port())
        self.folder = tempfile.mkdtemp(prefix=f"sluice-client-{name}-")
        configuration = os.path.join(self.folder, "prometheus.yml")
        with open(configuration, "w") as file:
            file.write("global: {scrape_interval: 200ms, scrape_timeout: 200ms, external_labels: {site: a b}}\n" + remote)
            for port in scrapes or []:
                file.write(f"scrape_configs:\n- job_name: self\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
        self.process = Process(name, [
            "/usr/bin/prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.console.templates=", "--web.console.libraries="],
            self.folder)
        eventually(f"{name} is ready", lambda: self.send("GET", "/-/ready").status == 200)

    def range(self, query, start, end, step="1s"):
        """promtool's answer, by labels: lists of (time, value)."""
        done = subprocess.run(["/usr/bin/promtool", "query", "range", f"--start={start}", f"--end={end}",
                               f"--step={step}", "-o", "json", self.url, query], capture_output=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return {json.dumps(series["metric"], sort_keys=True): series["values"] for series in json.loads(done.stdout)}

    def end(self):
        # With a SIGTERM it sends what it has yet to write.
        self.process.end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)


class RemoteStorage(ClientTest):
    def test_write_and_read(self):
        """what Prometheus writes is on all nodes, and one without any data reads it back as the first has it"""
        if self.gateway.send("POST", "/api/v1/prom/write").status == 404:
            self.skipTest("this gateway has no /api/v1/prom/write")
        self.gateway.query("CREATE DATABASE prom")
        port = free_port()
        writing = None
        reading = None
        try:
            writing = Prometheus(
                "prometheus-writing",
                f"remote_write: [{{url: '{self.gateway.url}/api/v1/prom/write?db=prom', "
                "queue_config: {batch_send_deadline: 200ms}}]\n", [port])
            # It scrapes itself, so that it has to know its port before it starts: scrape a second one's metrics.
            source = self.source(port)
            try:
                start = time.time()
                eventually("fifteen samples of a metric have come",
                           lambda: self.gateway.rows("SELECT count(value) FROM up", "prom")[0][1] >= 15)
                time.sleep(1)
                end = time.time() - 1
            finally:
                source.end()
            queries = ["up", "prometheus_build_info", "rate(prometheus_http_requests_total[2s])",
                       "sum by (quantile) (go_gc_duration_seconds)"]
            written = {query: writing.range(query, int(start) + 2, int(end)) for query in queries}
            writing.end()
            writing = None
            self.require_same_nodes()
            reading = Prometheus(
                "prometheus-reading",
                f"remote_read: [{{url: '{self.gateway.url}/api/v1/prom/read?db=prom', read_recent: true}}]\n")
            for query in queries:
                with self.subTest(query=query):
                    self.assertTrue(written[query])
                    self.assertEqual(reading.range(query, int(start) + 2, int(end)), written[query])
        finally:
            for server in (writing, reading):
                if server:
                    server.end()

    def source(self, port):
        """Another Prometheus, at this port, whose metrics are collected."""
        class Source(Prometheus):
            def __init__(self):
                Server.__init__(self, port)
                self.folder = tempfile.mkdtemp(prefix="sluice-client-source-")
                with open(os.path.join(self.folder, "prometheus.yml"), "w") as file:
                    file.write("global: {}\n")
                self.process = Process("source", [
                    "/usr/bin/prometheus", f"--config.file={self.folder}/prometheus.yml",
                    f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{port}",
                    "--web.console.templates=", "--web.console.libraries="], self.folder)
                eventually("source is ready", lambda: self.send("GET", "/-/ready").status == 200)
        return Source()


class Migration(ClientTest):
    def test_vmctl(self):
        """vmctl reads all of a database through the gateway, and VictoriaMetrics has every value"""
        now = int(time.time()) // 100 * 100
        lines = "".join(f"disk,host=h{i % 5},path=/p{i % 3} used={i},free={i}.5 {now - 20000 + i}\n" for i in range(10000))
        self.gateway.query("CREATE DATABASE moved")
        self.gateway.write(lines, "moved", precision="s")
        folder = tempfile.mkdtemp(prefix="sluice-client-victoria-")
        victoria = Server(free_port())
        process = Process("victoria-metrics", [
            "/usr/bin/victoria-metrics", f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{victoria.port}",
            "-retentionPeriod=100y"], folder)
        try:
            eventually("VictoriaMetrics answers", lambda: victoria.send("GET", "/health").status == 200)
            code, printed = on_a_terminal(
                "/usr/bin/vmctl", "influx", "-s", "--influx-addr", self.gateway.url, "--influx-database", "moved",
                "--influx-chunk-size", "1000", "--influx-filter-time-start", "2000-01-01T00:00:00Z",
                "--vm-addr", victoria.url)
            self.assertEqual(code, 0, printed)
            victoria.send("GET", "/internal/force_flush")

            def values():
                reply = victoria.send("GET", "/api/v1/export?" + urllib.parse.urlencode(
                    {"match[]": '{__name__=~"disk_.*"}', "start": now - 30000, "end": now + 100}))
                return [json.loads(line) for line in reply.body.splitlines()]
            series = eventually(
                "all values are there",
                lambda: (lambda all: all if sum(len(one["values"]) for one in all) >= 20000 else None)(values()))
            for field, extra in (("used", 0), ("free", 0.5)):
                found = {time // 1000: value for one in series if one["metric"]["__name__"] == f"disk_{field}"
                         for time, value in zip(one["timestamps"], one["values"])}
                self.assertEqual(found, {now - 20000 + i: i + extra for i in range(10000)})
        finally:
            process.end()
            shutil.rmtree(folder, ignore_errors=True)
