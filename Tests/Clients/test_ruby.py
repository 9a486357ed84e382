"""influxdb-ruby, as Debian ships it (ruby-influxdb)."""

import json
import os
import subprocess

from cluster import ClientTest

SESSION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "session.rb")


def session(server):
    credential = [server.user, server.password] if server.user else []
    done = subprocess.run(["ruby", SESSION, str(server.port), *credential], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode()[-3000:])
    return json.loads(done.stdout)


class Ruby(ClientTest):
    def test_session(self):
        """databases, policies, writes, queries, chunks, users and errors are as with a single InfluxDB"""
        got = self.both(session)
        self.assertTrue(got[0])
        self.require_same_as_alone("ruby")


class RubyWithAuthentication(ClientTest):
    authentication = True

    def test_session(self):
        """the same with a user's name and password"""
        self.both(session)
        self.require_same_as_alone("ruby")
