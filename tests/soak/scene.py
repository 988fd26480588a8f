"""The scene of a soak: two brokers with a subscriber each, a relay in front of the rough one, sluice in between."""
import os
import re
import threading
import time
from pathlib import Path

from .clients import DEADLINE_S, MAX_PIPELINE
from .ledger import CALM, PLACES, RANGES, ROUGH
from harness.client import Client, encode, request as request_of
from harness.lab import Lab
from harness.sluice import SANITIZER_REPORT, broker_table
from harness.subscriber import Subscriber
from harness.waiting import wait_until

CONNECTIONS = 4  # to each broker
BACK_S = 15  # after a disturbance everything has to be back within this
PROBES = 8
CLOSING_S = 5  # and the last descriptors of its clients closed
ESTABLISHED, LISTENING = "01", "0A"  # as /proc/net/tcp has it


class Tap(Subscriber):
    """A subscriber that returns what came since the last call, and keeps nothing. Subscribed with QoS 0, it
    receives messages in the order in which the broker received them, whatever their own QoS."""

    def __init__(self, broker):
        self._arrived, self._guard = [], threading.Lock()
        super().__init__(broker, qos=0)

    def _on_message(self, _client, _userdata, message):
        with self._guard:
            self._arrived.append(bytes(message.payload))

    def holds(self, payloads):
        with self._guard:
            return payloads <= set(self._arrived[-10 * PROBES:])

    def take(self):
        with self._guard:
            taken, self._arrived = self._arrived, []
        return taken


class Scene:
    """log: a file for sluice's debug log; without one, only warnings are logged, and kept in memory."""

    def __init__(self, folder, log=None):
        self._lab = Lab(folder)
        self._probed = 0
        quiet = {"verbose": False, "options": {"log_type": "error"}}
        try:
            self.rough = self._lab.broker(**quiet)
            self.calm = self._lab.broker(**quiet)
            self.rough_tap, self.calm_tap = (self._lab.keep(Tap(broker)) for broker in (self.rough, self.calm))
            self.relay = self._lab.relay(self.rough)
            self.unix_path = str(folder / "sluice.sock")
            self.sluice = self._lab.sluice(
                *(broker_table(where, name, *RANGES[name], connections=CONNECTIONS)
                  for where, name in ((self.relay, ROUGH), (self.calm, CALM))),
                until="later",
                defaults={"publish_timeout_ms": int(DEADLINE_S * 1000)}, limits={"max_pipeline": MAX_PIPELINE},
                log={"level": "debug", "file": str(log)} if log else {"level": "warn"})
            self.sluice.listen.append(f"unix://{self.unix_path}")
            self.sluice.write_config()
            self.sluice.start()
            self.address = ("127.0.0.1", self.sluice.port)
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends everything; raises if sluice does not shut down gracefully with 0."""
        self._lab.close()

    # --- a calm moment: everything has to be as before
    def recover(self):
        """What has not recovered in time, in words; no load is running."""
        try:
            self._wait("/readyz answers 200", lambda: self.sluice.http("/readyz")[0] == 200)
            for name, port in ((ROUGH, self.relay.port), (CALM, self.calm.port)):
                self._wait(f"{CONNECTIONS} connections to {name}", lambda p=port: self._connections(p) == CONNECTIONS)
            self._probe()
        except (AssertionError, OSError) as fault:
            return [f"afterwards: {fault}"]
        return []

    def _wait(self, what, condition):
        def there():
            assert self.sluice.is_running(), "sluice has ended"
            return condition()
        wait_until(there, what, BACK_S)

    def _connections(self, port):
        return sum(state == ESTABLISHED and remote == port for _, remote, state in self._sockets())

    def _sockets(self):
        """(own port, peer's port, state) of sluice's TCP sockets, found by its descriptors."""
        own = set()
        for link in os.scandir(f"/proc/{self.sluice.pid}/fd"):
            try:
                own.add(os.readlink(link.path))
            except OSError:
                pass  # closed meanwhile
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            row = line.split()
            if f"socket:[{row[9]}]" in own:
                yield int(row[1].split(":")[1], 16), int(row[2].split(":")[1], 16), row[3]

    def _probe(self):
        """Ordinary requests for devices of both brokers are acknowledged by both, and arrive at both."""
        self._probed += 1
        payloads = [f"0 0 probe {self._probed}.{i}" for i in range(PROBES)]
        client = Client(self.address)
        try:
            client.send_raw(b"".join(encode(request_of(PLACES["both"][-1 - i], "soak/probe", payload))
                                     for i, payload in enumerate(payloads)))
            for reply in client.read_replies(PROBES):
                assert reply.get("code") == 1, f"an ordinary request: {reply}"
        finally:
            client.close()
        wanted = {payload.encode() for payload in payloads}
        for name, tap in ((ROUGH, self.rough_tap), (CALM, self.calm_tap)):
            self._wait(f"probes arrive at {name}", lambda t=tap: t.holds(wanted))

    def descriptors_at_rest(self):
        """Open descriptors after the last accepted connection is closed: the baseline of every later calm moment."""
        ports = (self.sluice.port, self.sluice.admin_port)
        self._wait("sluice has closed all accepted connections", lambda: not any(
            own in ports and state != LISTENING for own, _, state in self._sockets()))
        return self.sluice.open_descriptors()

    def descriptors(self, wanted):
        """Open descriptors as soon as they are `wanted`, or after CLOSING_S."""
        end = time.monotonic() + CLOSING_S
        while (count := self.sluice.open_descriptors()) != wanted and time.monotonic() < end:
            time.sleep(0.02)
        return count

    def sanitizer_report(self):
        return re.findall(SANITIZER_REPORT.pattern + ".*", self.sluice.log())


class Pulse:
    """How long this program was not scheduled: replies seem late by as much."""

    STEP_S = 0.05

    def __init__(self):
        self._worst = 0.0
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self):
        while True:
            before = time.monotonic()
            time.sleep(self.STEP_S)
            self._worst = max(self._worst, time.monotonic() - before - self.STEP_S)

    def take(self):
        worst, self._worst = self._worst, 0.0
        return worst
