"""A day's worth of restarts of nodes and gateway, squeezed into minutes, under agents that behave like Telegraf."""

import collections
import os
import random
import signal
import time

from cluster import ClientTest, eventually
from telegraf import Agent

#: at least so many events, in about three seconds each
EVENTS = 65 if os.environ.get("SLUICE_LONG") == "1" else 14
SEED = int(os.environ.get("SLUICE_SEED", "1"))


class Restarts(ClientTest):
    def test_restarts(self):
        """agents lose no metric while nodes and gateway are killed, stopped, hung and restarted"""
        agents = [Agent(number, self.gateway.port, "telegraf") for number in range(4)]
        for agent in agents:
            agent.start()
            self.addCleanup(agent.stop, 0)
        begin = time.monotonic()
        events = self.play(random.Random(SEED))
        for node in self.nodes:
            self.wake(node)
        for agent in agents:
            self.assertTrue(agent.stop(within=60), f"agent {agent.number} still has {len(agent.buffer)} metrics")
        took = time.monotonic() - begin
        eventually("all nodes have everything", self.gateway.is_drained, within=60)

        answers = sum((agent.answers for agent in agents), collections.Counter())
        print(f"\n{sum(events.values())} events in {took:.0f} s {dict(events)}\n"
              f"{sum(agent.written for agent in agents)} metrics written, answers {dict(answers)}\n"
              f"longest time without a success {max(agent.longest_wait for agent in agents):.1f} s, "
              f"longest request {max(agent.longest_request for agent in agents):.1f} s, "
              f"fullest buffer {max(agent.fullest for agent in agents)} metrics")
        for agent in agents:
            self.assertEqual((agent.refused, agent.overflowed), (0, 0), agent.refusals[:5])
            self.assertEqual(agent.written, agent.collected)
            for node in self.nodes:
                count = agent.collected
                row = node.rows(f"SELECT count(n), sum(n), count(usage), count(s) FROM cpu WHERE agent = '{agent.number}'",
                                "telegraf")[0]
                self.assertEqual(row[1:], [count, count * (count - 1) // 2, count, count], f"node {node.name}")

    # What happens

    def play(self, dice):
        happened = collections.Counter()
        happenings = [
            ("node killed", 4, self.kill_node), ("node stopped", 4, self.stop_node), ("node hung", 4, self.hang_node),
            ("gateway killed", 4, self.kill_gateway), ("gateway restarted", 4, self.restart_gateway),
            ("rolling restart", 2, self.roll), ("gateway and a node killed", 2, self.kill_both),
            ("all nodes killed", 1, self.kill_nodes),
        ]
        # Each kind once, then by chance.
        order = dice.sample(happenings, len(happenings))
        while sum(happened.values()) < EVENTS:
            name, _, happen = order.pop() if order else dice.choices(happenings, [weight for _, weight, _ in happenings])[0]
            happen(dice)
            happened[name] += 1
            time.sleep(dice.uniform(0.2, 1.0))
        return happened

    def kill_node(self, dice):
        node = dice.choice(self.nodes)
        node.process.end(signal.SIGKILL)
        time.sleep(dice.uniform(0, 2))
        node.start()

    def stop_node(self, dice):
        node = dice.choice(self.nodes)
        node.process.end(signal.SIGTERM)
        time.sleep(dice.uniform(0, 1))
        node.start()

    def hang_node(self, dice):
        node = dice.choice(self.nodes)
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(dice.uniform(0.5, 5))
        self.wake(node)

    def wake(self, node):
        node.process.send_signal(signal.SIGCONT)

    def kill_gateway(self, dice):
        self.gateway.process.end(signal.SIGKILL)
        time.sleep(dice.uniform(0, 0.5))
        self.gateway.launch()

    def restart_gateway(self, dice):
        eventually("the gateway has started", lambda: self.gateway.admin.send("GET", "/ready").status == 200)
        code = self.gateway.process.end(signal.SIGTERM)
        self.assertEqual(code, 0, self.gateway.process.log[-3000:])
        self.gateway.launch()

    def roll(self, dice):
        """Nodes and gateway one after the other, each when the one before is back, as an upgrade does it."""
        for node in self.nodes:
            eventually("all nodes are in-sync", self.gateway.is_in_sync, within=60)
            node.process.end(signal.SIGTERM)
            node.start()
        eventually("all nodes are in-sync", self.gateway.is_in_sync, within=60)
        self.restart_gateway(dice)

    def kill_both(self, dice):
        node = dice.choice(self.nodes)
        node.process.end(signal.SIGKILL)
        self.gateway.process.end(signal.SIGKILL)
        self.gateway.launch()
        time.sleep(dice.uniform(0, 1))
        node.start()

    def kill_nodes(self, dice):
        for node in self.nodes:
            node.process.end(signal.SIGKILL)
        time.sleep(dice.uniform(0, 1))
        for node in self.nodes:
            node.start()
