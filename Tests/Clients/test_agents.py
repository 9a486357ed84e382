"""Agents of Debian that write to InfluxDB by themselves: Icinga 2 over HTTP, collectd over UDP."""

import os
import shutil
import tempfile
import time
import unittest

from cluster import ClientTest, Process, eventually, free_port, knows


class Icinga(ClientTest):
    def test_writer(self):
        """Icinga's InfluxdbWriter stores the performance data of its checks on all nodes"""
        self.gateway.query("CREATE DATABASE icinga2")
        folder = tempfile.mkdtemp(prefix="sluice-client-icinga-")
        for name in ("lib", "run", "log", "cache", "spool"):
            os.mkdir(os.path.join(folder, name))
        os.mkdir(os.path.join(folder, "lib", "certs"))
        configuration = os.path.join(folder, "icinga2.conf")
        with open(configuration, "w") as file:
            file.write(f"""
include <itl>
const NodeName = "here"
object Endpoint NodeName {{}}
object Zone "zone" {{ endpoints = [ NodeName ] }}
object FileLogger "log" {{ severity = "information"; path = "{folder}/log/icinga2.log" }}
object CheckerComponent "checker" {{}}
object InfluxdbWriter "influxdb" {{
  host = "127.0.0.1"
  port = {self.gateway.port}
  database = "icinga2"
  flush_interval = 1s
  flush_threshold = 16
  enable_send_metadata = true
  host_template = {{ measurement = "$host.check_command$"; tags = {{ hostname = "$host.name$" }} }}
  service_template = {{
    measurement = "$service.check_command$"; tags = {{ hostname = "$host.name$"; service = "$service.name$" }}
  }}
}}
for (name in [ "web one", "db,two" ]) {{
  object Host name {{ check_command = "random"; check_interval = 1s; retry_interval = 1s }}
  object Service "load = high" use (name) {{
    host_name = name; check_command = "random"; check_interval = 1s; retry_interval = 1s
  }}
}}
""")
        definitions = [f"-D{key}={os.path.join(folder, name)}" for key, name in (
            ("DataDir", "lib"), ("InitRunDir", "run"), ("LogDir", "log"), ("CacheDir", "cache"), ("SpoolDir", "spool"))]
        process = Process("icinga2", [
            "/usr/sbin/icinga2", "daemon", "-c", configuration, *definitions, "-DRunAsUser=root", "-DRunAsGroup=root"],
            folder)
        try:
            def enough():
                rows = self.gateway.rows('SELECT count("value") FROM random GROUP BY hostname, service', "icinga2")
                return len(rows) == 4 and all(row[1] >= 3 for row in rows)
            eventually("all four checks have been written three times", enough, within=60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{process.log[-3000:]}")
        finally:
            # With a SIGTERM it flushes; its children end with it.
            process.end(15, within=30)
            shutil.rmtree(folder, ignore_errors=True)
        names = self.gateway.names("SHOW TAG VALUES WITH KEY = hostname", "icinga2")
        series = self.gateway.names("SHOW SERIES", "icinga2")
        self.assertTrue(any("db\\,two" in one for one in series), series)
        self.assertTrue(any("web\\ one" in one for one in series), series)
        self.assertTrue(names)


class Collectd(ClientTest):
    @classmethod
    def prepare(cls):
        cls.port = free_port()
        cls.keys = f"udp:\n  - {{listen: 127.0.0.1:{cls.port}, database: collectd, batch_timeout: 50ms}}"
        if not knows(cls.keys):
            raise unittest.SkipTest("this gateway has no listeners for UDP")

    def test_datagrams(self):
        """collectd's write_influxdb_udp stores what its plugins measure on all nodes"""
        self.gateway.query("CREATE DATABASE collectd")
        folder = tempfile.mkdtemp(prefix="sluice-client-collectd-")
        configuration = os.path.join(folder, "collectd.conf")
        with open(configuration, "w") as file:
            file.write(f"""
Hostname "here"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/pid"
Interval 0.2
LoadPlugin load
LoadPlugin memory
LoadPlugin uptime
LoadPlugin write_influxdb_udp
<Plugin write_influxdb_udp>
  Server "127.0.0.1" "{self.port}"
  TimeToLive 8
</Plugin>
""")
        process = Process("collectd", ["/usr/sbin/collectd", "-f", "-C", configuration], folder)
        try:
            def enough():
                measured = self.gateway.names("SHOW MEASUREMENTS", "collectd")
                count = self.gateway.rows("SELECT count(*) FROM /memory.*/", "collectd")
                return any("load" in name for name in measured) and count and max(count[0][1:]) >= 5
            eventually("memory has been written five times", enough)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{process.log[-3000:]}")
        finally:
            process.end(15)
            shutil.rmtree(folder, ignore_errors=True)
