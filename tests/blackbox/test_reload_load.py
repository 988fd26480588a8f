"""A hundred reloads of every kind under load: nothing lost, reordered, dropped or answered twice."""
import copy
import itertools
import random
import threading
from collections import defaultdict

from harness import net
from harness.client import encode, request
from harness.order import assert_in_order
from harness.sluice import broker_table
from harness.waiting import BOUND_S

RELOADS = 100
TIMEOUT_MS = 20000
STEADY = range(1, 41)         # devices of a broker that always has a route
COMING_AND_GOING = range(1000001, 1000013)


class Load:
    """Clients that send numbered messages until told to stop, and write down what became of each."""

    def __init__(self, sluice):
        self._stop = threading.Event()
        self._faults = []
        self.acknowledged = defaultdict(set)
        self.answers = defaultdict(int)
        devices = [list(STEADY)[i::4] for i in range(4)]
        work = [(self._pipeline, sluice.client(), share) for share in devices]
        work += [(self._one_by_one, sluice.client(), [device]) for device in COMING_AND_GOING]
        self._threads = [threading.Thread(target=self._guard, args=each, daemon=True) for each in work]
        for thread in self._threads:
            thread.start()

    def _guard(self, send, client, devices):
        try:
            send(client, devices)
        except BaseException as fault:  # pylint: disable=broad-except
            self._faults.append(fault)
            self._stop.set()

    def _message(self, device, number):
        return encode(request(device=device, topic=f"d/{device}", message=str(number), id=f"{device}/{number}",
                              timeout_ms=TIMEOUT_MS, qos=1 + device % 2))

    def _take(self, reply, may_have_no_route):
        device, number = map(int, reply["id"].split("/"))
        self.answers[device, number] += 1
        if reply["code"] == 1:
            self.acknowledged[device].add(number)
            return True
        assert may_have_no_route and (reply["error"], reply["published"]) == ("no_route", "no"), reply
        self.answers[device, number] -= 1  # it is asked again
        return False

    def _pipeline(self, client, devices):
        """Up to 30 messages under way, several of each device."""
        open_ones = 0
        for number in itertools.count():
            for device in devices:
                client.send_raw(self._message(device, number))
                open_ones += 1
                if open_ones == 30:
                    self._take(client.read_reply(), False)
                    open_ones -= 1
            if self._stop.is_set():
                break
        while open_ones:
            self._take(client.read_reply(), False)
            open_ones -= 1
        assert not client.has_input()

    def _one_by_one(self, client, devices):
        """The same message until there is a route: its broker comes and goes."""
        number = 0
        while not self._stop.is_set():
            for device in devices:
                client.send_raw(self._message(device, number))
                if self._take(client.read_reply(), True):
                    number += 1
        assert not client.has_input()

    def goes_on(self):
        assert not self._faults, self._faults[0]
        return True

    def finish(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * BOUND_S)
            assert not thread.is_alive(), "a client is still waiting"
        self.goes_on()
        assert all(count == 1 for count in self.answers.values()), "a request was not answered exactly once"


class Changes:
    """One kind of reload after the other, each time another value."""

    def __init__(self, sluice, extra_url):
        self._config = sluice.config
        self._dice = random.Random(7)
        self._extra = broker_table(extra_url, name="extra", low=5000000, high=6000000, connections=2)
        self._ports = [net.free_port() for _ in range(2)]
        self._listen = list(sluice.listen)
        self._moving = copy.deepcopy(sluice.config["broker"][1])
        self.kinds = [self.connections, self.window, self.range, self.keepalive, self.texts, self.identifiers,
                      self.removal_or_return, self.address, self.limits, self.listeners, self.instance, self.extra,
                      self.login, self.queue, self.nothing, self.level]

    def _tables(self):
        return [table for table in self._config["broker"] if table["name"] != "extra"]

    def connections(self, _step):
        for table in self._tables():
            table["connections"] = self._dice.randrange(1, 7)

    def window(self, _step):
        for table in self._tables():
            table["max_inflight"] = self._dice.choice([1, 2, 8, 20, "auto"])

    def range(self, step):
        self._config["broker"][0]["max_dev_no"] = 1000 + step

    def keepalive(self, step):
        for table in self._tables():
            table["keepalive_s"] = 20 + step

    def texts(self, step):
        self._config["replies"] = {"success": f"done {step}"}

    def identifiers(self, step):
        for table in self._tables():
            table["client_id"] = f"{{instance}}-{{broker}}-{step % 3}-{{slot}}"

    def removal_or_return(self, _step):
        if len(self._tables()) == 2:
            self._config["broker"] = [t for t in self._config["broker"] if t["name"] != "moving"]
        else:
            self._config["broker"].append(copy.deepcopy(self._moving))

    def address(self, step):
        for table in self._tables():
            port = table["url"].rsplit(":", 1)[1]
            table["url"] = f"mqtt://{('127.0.0.1', 'localhost')[step % 2]}:{port}"

    def limits(self, step):
        self._config["limits"] = {"max_pipeline": 20 + step, "output_bytes": 65536 + step}

    def listeners(self, step):
        self._config["server"]["listen"] = [*self._listen, f"tcp://127.0.0.1:{self._ports[step % 2]}"]

    def instance(self, step):
        self._config["server"]["instance"] = f"i{step % 5}"

    def extra(self, _step):
        names = [table["name"] for table in self._config["broker"]]
        if "extra" in names:
            del self._config["broker"][names.index("extra")]
        else:
            self._config["broker"].append(copy.deepcopy(self._extra))

    def login(self, step):
        for table in self._tables():
            table.update(username="shop", password=f"word {step}")

    def queue(self, _step):
        for table in self._tables():
            table["queue_messages"] = self._dice.choice([1, 5, 10000])
            table["inflight_bytes"] = self._dice.choice([50, 4194304])

    def nothing(self, _step):
        pass

    def level(self, step):
        self._config["log"]["level"] = ("info", "debug")[step % 2]


def test_a_hundred_reloads_of_every_kind_lose_reorder_and_drop_nothing(lab):
    # The default log level still tells of every connection and of every take-over.
    options = {"max_inflight_messages": 1000}
    steady, moving = lab.broker(verbose=False, options=options), lab.broker(verbose=False, options=options)
    subscribers = [lab.subscriber(broker, qos=0) for broker in (steady, moving)]
    sluice = lab.sluice(broker_table(steady, name="steady"),
                        broker_table(moving, name="moving", low=1000000, high=2000000),
                        log={"level": "info"})
    changes = Changes(sluice, moving.url)
    load = Load(sluice)
    kinds = itertools.cycle(changes.kinds)
    refused = 0
    for step in range(RELOADS):
        if step % 20 == 19:
            sluice.reload(refused=True, text="[server]\nlisten = 1\n")
            refused += 1
        else:
            next(kinds)(step)
            sluice.reload()
        load.goes_on()
    load.finish()
    assert sluice.reloads() == (RELOADS - refused, refused)
    seen = defaultdict(list)
    for subscriber, devices in zip(subscribers, (STEADY, COMING_AND_GOING)):
        for device in devices:
            newest = max(load.acknowledged[device])
            subscriber.wait_for_payload(str(newest).encode(), topic=f"d/{device}")
            seen[device] = [int(payload) for payload in subscriber.payloads(topic=f"d/{device}")]
    for device, numbers in seen.items():
        assert_in_order(numbers)
        lost = load.acknowledged[device] - set(numbers)
        assert not lost, f"device {device}: {sorted(lost)[:10]} were acknowledged and have not arrived"
        assert len(numbers) == len(set(numbers)), f"device {device}: no connection was lost, so none comes twice"
    assert sum(map(len, load.acknowledged.values())) > 1000
    for broker in (steady, moving):
        assert "already connected, closing old connection" not in broker.log()
        assert "New client connected" in broker.log()
    assert sum(table["reconnects"] for table in sluice.status()["brokers"]) == 0
