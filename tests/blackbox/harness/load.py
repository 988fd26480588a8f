"""Clients that keep sending numbered messages, and a record of each result."""
import itertools
import threading
from collections import defaultdict

from .client import encode, request
from .waiting import BOUND_S, wait_until

NO_ROUTE = ("no_route", "no")
TIMEOUT = ("timeout", "unknown")
UNAVAILABLE = ("broker_unavailable", "no")


def qos_of(device):
    """Each device has one QoS, so that its messages have one order."""
    return device % 3


class Load:
    """Each client sends batches of 30 requests, several for each of its devices, until close(). A message is published
    to d/DEVICE; its payload is its number."""

    DEPTH = 30
    # Between batches: neither may the load use the whole processor, nor may a subscriber fall behind.
    PAUSE_S = 0.02

    def __init__(self, sluice):
        self._sluice = sluice
        self._stop = threading.Event()
        self._faults = []
        self._threads = []
        self.acknowledged, self.unknown, self.refused = (defaultdict(set) for _ in range(3))
        self.failures = set()  # each (error, published) of a reply

    def add(self, devices, may_fail=(), timeout_ms=60000):
        """Starts one more client. may_fail: the (error, published) allowed in its replies."""
        work = (self._sluice.client(), list(devices), set(may_fail), timeout_ms)
        thread = threading.Thread(target=self._guard, args=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, *work):
        try:
            self._work(*work)
        except BaseException as fault:  # pylint: disable=broad-except
            self._faults.append(fault)
            self._stop.set()

    def _work(self, client, devices, may_fail, timeout_ms):
        under_way, most = set(), self.DEPTH
        numbered = ((number, device) for number in itertools.count() for device in devices)
        for sent, (number, device) in enumerate(numbered):
            if self._stop.wait(0 if sent % self.DEPTH else self.PAUSE_S):
                break
            name = f"{device}/{number}"
            client.send_raw(encode(request(device=device, topic=f"d/{device}", message=str(number), id=name,
                                           timeout_ms=timeout_ms, qos=qos_of(device))))
            under_way.add(name)
            while len(under_way) >= most:
                # Without a route it sends one by one; otherwise such requests would be most of the load.
                most = self.DEPTH if self._take(client.read_reply(), under_way, may_fail) else 1
        while under_way:
            self._take(client.read_reply(), under_way, may_fail)
        assert not client.has_input(), "a request was answered twice"

    def _take(self, reply, under_way, may_fail):
        assert reply["id"] in under_way, f"not asked, or answered twice: {reply}"
        under_way.remove(reply["id"])
        device, number = map(int, reply["id"].split("/"))
        if reply["code"] == 1:
            self.acknowledged[device].add(number)
            return True
        failure = (reply["error"], reply["published"])
        assert failure in may_fail, reply
        self.failures.add(failure)
        (self.refused if reply["published"] == "no" else self.unknown)[device].add(number)
        return failure != NO_ROUTE

    # --- for tests
    def goes_on(self, further=0, devices=None):
        """Waits until this many more messages (for these devices) have been acknowledged."""
        def count():
            return sum(len(numbers) for device, numbers in list(self.acknowledged.items())
                       if devices is None or device in devices)
        enough = count() + further
        wait_until(lambda: self._faults or count() >= enough,
                   lambda: f"{further} more messages are sent\n{self._sluice.log()[-4000:]}", 2 * BOUND_S, 0.002)
        assert not self._faults, self._faults[0]

    def close(self):
        self._stop.set()

    def finish(self):
        self.close()
        for thread in self._threads:
            thread.join(3 * BOUND_S)
            assert not thread.is_alive(), "a client is still waiting"
        self.goes_on()

    def assert_account(self, *subscribers, repeats=False):
        """Everything answered with code 1 has arrived, nothing answered "no" has, and each subscriber has received
        every device's messages in order: each once, or more often with `repeats`. Returns what each has received,
        {device: [numbers]}."""
        def missing():
            seen = {(m.topic, m.payload) for subscriber in subscribers for m in subscriber.messages()}
            return [f"{device}/{number}" for device, numbers in self.acknowledged.items() for number in numbers
                    if (f"d/{device}", b"%d" % number) not in seen]
        wait_until(lambda: not missing(), lambda: f"{missing()[:20]} were acknowledged and have not arrived",
                   pause_s=0.1)
        seen_by = [numbers_by_device(subscriber.messages()) for subscriber in subscribers]
        for seen in seen_by:
            for device, numbers in seen.items():
                assert_each_in_order(device, numbers, repeats)
                strange = set(numbers) - self.acknowledged[device] - self.unknown[device]
                assert not strange, f"device {device}: {sorted(strange)[:10]} were not to be sent"
        return seen_by


def numbers_by_device(messages):
    seen = defaultdict(list)
    for message in messages:
        seen[int(message.topic.removeprefix("d/"))].append(int(message.payload))
    return seen


def assert_each_in_order(device, numbers, repeats=False):
    """The first arrivals are in order, and the newest one comes last."""
    first = list(dict.fromkeys(numbers))
    assert repeats or len(first) == len(numbers), f"device {device}: no connection was lost, so none comes twice"
    late = next((at for at in range(1, len(first)) if first[at] < first[at - 1]), None)
    assert late is None, f"device {device}: {first[max(late - 10, 0):late + 3]}, {first[late]} is late"
    assert numbers[-1] == max(numbers), f"device {device}: an old one comes last: {numbers[-10:]}"
