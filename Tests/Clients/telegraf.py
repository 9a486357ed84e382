"""A client that behaves as Telegraf's output `influxdb` does: what it takes for an answer decides what is lost.

Read from Telegraf 1.2x, plugins/outputs/influxdb/http.go and models/running_output.go: bodies are gzip, sent in chunks
without Content-Length; a request may take 5 s; CREATE DATABASE at the start, whose failure is only logged; batches of
at most 1000 metrics; a bounded buffer, whose oldest metrics go when it is full. After a 404 "database not found" the
database is made and the batch kept; any other 4xx drops the batch; what else goes wrong is tried again.
"""

import collections
import gzip
import http.client
import json
import threading
import time
import urllib.parse


class Agent:
    """Collects `rate` metrics a second, and flushes every `interval` seconds, until `stop`."""

    BATCH = 1000

    def __init__(self, number, port, database, interval=0.25, rate=2000, buffer=60_000):
        self.number, self.port, self.database = number, port, database
        self.interval, self.rate, self.limit = interval, rate, buffer
        self.buffer = collections.deque()
        self.collected = self.written = 0
        #: metrics that are lost: refused for good, or pushed out of the full buffer
        self.refused = self.overflowed = 0
        self.refusals = []
        self.answers = collections.Counter()
        self.fullest = 0
        self.last_success = time.monotonic()
        self.longest_wait = 0.0
        self.longest_request = 0.0
        self._connection = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self, within):
        """No metric is collected any more; waits until the buffer is empty."""
        self._stopped.set()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self):
        self._create_database()
        begin = time.monotonic()
        while True:
            if not self._stopped.is_set():
                self._collect(int((time.monotonic() - begin) * self.rate) - self.collected)
            elif not self.buffer:
                break
            self._flush()
            self._stopped.wait(self.interval) if not self._stopped.is_set() else time.sleep(0.05)
        if self._connection:
            self._connection.close()

    def _collect(self, count):
        for _ in range(count):
            i = self.collected
            self.collected += 1
            if len(self.buffer) == self.limit:
                self.buffer.popleft()
                self.overflowed += 1
            self.buffer.append(
                f"cpu,agent={self.number},cpu=cpu{i % 4} usage={i},n={i}i,s=\"metric {i}\" {1500000000000000000 + i * 1000000}\n")
        self.fullest = max(self.fullest, len(self.buffer))

    def _flush(self):
        """As many batches as are complete; at the end of an interval also one that is not."""
        for _ in range(-(-len(self.buffer) // self.BATCH)):
            batch = [self.buffer[i] for i in range(min(self.BATCH, len(self.buffer)))]
            if not self._write(batch):
                return
            for _ in batch:
                self.buffer.popleft()

    def _write(self, batch):
        """Whether the batch is done with: written or dropped."""
        packed = gzip.compress("".join(batch).encode(), 1)
        pieces = [packed[i:i + 4096] for i in range(0, len(packed), 4096)]
        target = "/write?" + urllib.parse.urlencode({"db": self.database})
        status, text = self._request(target, pieces, {
            "Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"})
        if status == 204:
            now = time.monotonic()
            self.longest_wait = max(self.longest_wait, now - self.last_success)
            self.last_success = now
            self.written += len(batch)
            return True
        if status == 404 and "database not found" in text:
            self._create_database()
            return False
        if 400 <= status < 500:
            self.refused += len(batch)
            self.refusals.append(f"{status} {text[:300]}")
            return True
        return False

    def _create_database(self):
        q = urllib.parse.urlencode({"q": f'CREATE DATABASE "{self.database}"'}).encode()
        self._request("/query", [q], {"Content-Type": "application/x-www-form-urlencoded"})

    def _request(self, target, pieces, headers):
        """Status and body; 0 and the reason when there was no answer."""
        begin = time.monotonic()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            self._connection.request("POST", target, body=iter(pieces), encode_chunked=True, headers={
                "User-Agent": "Telegraf/1.25.0 Go/1.20", "Transfer-Encoding": "chunked", **headers})
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
            status = answer.status
            if answer.will_close:
                self._close()
        except (OSError, http.client.HTTPException) as error:
            self._close()
            status, text = 0, type(error).__name__
        self.longest_request = max(self.longest_request, time.monotonic() - begin)
        self.answers[f"{status} {self._reason(text)}".strip()] += 1
        return status, text

    def _close(self):
        if self._connection:
            self._connection.close()
        self._connection = None

    @staticmethod
    def _reason(text):
        try:
            return json.loads(text).get("error", "")[:80] if text.startswith("{") else text[:80]
        except ValueError:
            return text[:80]
