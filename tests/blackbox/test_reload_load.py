"""Reloads under load: nothing is lost, reordered, dropped or answered twice (contract, promise 7)."""
import itertools
import random
import re

import pytest

from harness.certs import Authority
from harness.changes import BORDERS, COMING_AND_GOING, HIGH, LOW, Certificates, Changes, tables
from harness.load import NO_ROUTE, TIMEOUT, UNAVAILABLE, Load, qos_of
from harness.sluice import broker_table
from harness.waiting import wait_until

RELOADS = 100
OPTIONS = {"max_inflight_messages": 1000}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def certificates(authority, tmp_path):
    return Certificates(tmp_path, trusted=authority, other=Authority(tmp_path, "another authority"),
                        own=[authority.issue(name, "DNS:sluice") for name in ("first-own", "second-own")])


@pytest.fixture
def brokers(lab, authority):
    server = authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")
    # The default log level still tells of every connection and of every take-over.
    return [lab.broker(verbose=False, options=OPTIONS, also_tls=server) for _ in range(3)]


def load_of_all_devices(lab, sluice):
    load = lab.keep(Load(sluice))
    for at in range(4):
        load.add(range(LOW + 1 + at, HIGH, 4))
    for at in range(3):
        load.add(range(COMING_AND_GOING[0] + 1 + at, COMING_AND_GOING[1], 3), may_fail=[NO_ROUTE])
    return load


def assert_every_kind_took_place(brokers, seen, load):
    """What cannot be told from the absence of faults."""
    by_first, by_second, by_third = seen
    for device in range(LOW + 1, BORDERS[0]):
        assert by_first[device] and by_third[device], f"device {device}: its broker has changed its address"
    for device in range(BORDERS[0], BORDERS[1]):
        assert by_second[device] and by_first[device] + by_third[device], f"device {device} has been at both brokers"
    for device in range(COMING_AND_GOING[0] + 1, COMING_AND_GOING[1]):
        assert by_second[device] and load.refused[device], f"device {device} had a route, and had none"
    logs = "".join(broker.log() for broker in brokers)
    for trace in ("-steady-", "-steady-renamed-", "-neighbour-", "-neighbour-renamed-", "-moving-",
                  "u'first-own'", "u'second-own'", "u'shop'", "(p2,", "(p5,"):
        assert trace in logs, f"{trace} in the brokers' logs"


def assert_no_connection_was_lost(sluice):
    if sluice.admin_port:
        assert {table["name"]: table["reconnects"] for table in sluice.status()["brokers"] if table["reconnects"]} == {}


def assert_no_identifier_was_connected_twice(brokers, sluice):
    """But where a broker was too slow: it did not close within a second of a DISCONNECT, or had not answered a
    CONNECT, nothing being handed over yet, when a reload made another one of it."""
    twice = sum(broker.log().count("already connected, closing old connection") for broker in brokers)
    assert twice <= len(re.findall("the broker did not close in time|Connecting -> (?:Backoff|Idle)", sluice.log()))


def reload_under_load(lab, brokers, certificates, seed, changes_of, pauses):
    """Applies the changes that changes_of(Changes) makes; after each, as many messages as one of `pauses` says are
    sent. Nothing may be lost, reordered or dropped. Returns the load, and what each broker's subscriber has seen."""
    subscribers = [lab.subscriber(broker, qos=0) for broker in brokers]
    sluice = lab.sluice(*tables(*brokers[:2], certificates))
    load = load_of_all_devices(lab, sluice)
    load.goes_on(100)
    dice = random.Random(seed)
    done = refused = 0
    for done, _ in enumerate(changes_of(Changes(sluice, *brokers, certificates, seed)), 1):
        sluice.reload()
        if done % 20 == 0:
            sluice.reload(refused=True, text="[server]\nlisten = 1\n")
            refused += 1
        load.goes_on(dice.choice(pauses))
        assert_no_connection_was_lost(sluice)
    load.finish()
    assert sluice.reloads()[0] >= done and sluice.reloads()[1] == refused
    seen = load.assert_account(*subscribers)
    assert_no_identifier_was_connected_twice(brokers, sluice)
    return load, seen


def test_a_reload_of_each_kind_loses_reorders_and_drops_nothing(lab, brokers, certificates):
    _, seen = reload_under_load(lab, brokers, certificates, seed=1, pauses=[20],
                                changes_of=lambda changes: changes.next(rounds=1, first=1))
    for device in range(LOW + 1, BORDERS[0]):
        assert seen[0][device] and seen[2][device], f"device {device}: its broker has changed its address"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 3))
def test_a_hundred_reloads_of_every_kind_lose_reorder_and_drop_nothing(lab, brokers, certificates, seed):
    """Each kind several times, and after and before many others. Fast: the test above, each kind once."""
    load, seen = reload_under_load(lab, brokers, certificates, seed, pauses=[0, 0, 20, 200],
                                   changes_of=lambda changes: itertools.islice(changes.next(RELOADS), RELOADS))
    assert_every_kind_took_place(brokers, seen, load)


# --- a broker that is removed while it has something of everything

class Removal:
    """Two brokers under load: "stays", and "leaves", which is slow to be emptied: it can have 8 messages in flight
    and 5 in its queue."""

    def __init__(self, lab):
        self.stays, self.leaves = (lab.broker(verbose=False, options=OPTIONS) for _ in range(2))
        self.subscribers = [lab.subscriber(broker, qos=0) for broker in (self.stays, self.leaves)]
        self.sluice = lab.sluice(
            broker_table(self.stays, name="stays", low=0, high=10),
            broker_table(self.leaves, name="leaves", low=1000, high=2000, connections=2, max_inflight=4,
                         queue_messages=5),
            log={"level": "info"})
        self._both = self.sluice.config["broker"]
        self.load = lab.keep(Load(self.sluice))
        self.load.add(range(1, 10))

    def status(self):
        return self.sluice.broker_status("leaves")

    def freeze_with_its_hands_full(self):
        self.leaves.freeze()
        wait_until(lambda: all(self.status()[what] > 0 for what in ("in_flight", "queued", "waiting_clients")),
                   lambda: f"messages in flight and in the queue, and parked clients: {self.status()}")

    def remove(self):
        self.sluice.config["broker"] = self._both[:1]
        self.sluice.reload()
        assert self.status()["state"] == "leaving"
        self.load.goes_on(50)  # at the other one

    def bring_back(self):
        """With a queue that holds all there is until it has its first connection: it would refuse the rest."""
        self.sluice.config["broker"] = self._both
        for queue_messages in (1000, 5):
            self._both[1]["queue_messages"] = queue_messages
            self.sluice.reload()
            self.sluice.wait_for_connections(2, "leaves")

    def wait_until_gone(self):
        wait_until(lambda: self.status() is None, lambda: f"the broker is gone: {self.status()}")


def test_a_broker_removed_under_load_brings_all_that_it_holds_to_its_end(lab):
    removal, devices = Removal(lab), range(1001, 1019)
    for at in range(6):
        removal.load.add(devices[at::6], may_fail=[NO_ROUTE])
    for turn in range(6):
        removal.load.goes_on(50, devices)
        removal.freeze_with_its_hands_full()
        removal.remove()
        if turn % 2:
            removal.bring_back()  # before it is gone
        removal.leaves.thaw()
        if not turn % 2:
            removal.wait_until_gone()
            removal.bring_back()
    removal.load.finish()
    removal.load.assert_account(*removal.subscribers)
    assert removal.load.failures == {NO_ROUTE}
    assert_no_connection_was_lost(removal.sluice)


@pytest.mark.slow
def test_what_a_broker_removed_under_load_holds_too_long_is_answered_honestly(lab):
    """Fast, without load: test_what_a_removed_broker_has_keeps_its_deadlines in test_reload_brokers.py."""
    removal, devices = Removal(lab), [device for device in range(1001, 1019) if qos_of(device) > 0]
    for at in range(6):
        removal.load.add(devices[at::6], may_fail=[NO_ROUTE, TIMEOUT, UNAVAILABLE], timeout_ms=300)
    for _ in range(4):
        removal.load.goes_on(50, devices)
        removal.freeze_with_its_hands_full()
        removal.remove()
        wait_until(lambda: removal.status()["queued"] + removal.status()["waiting_clients"] == 0, "all deadlines")
        removal.leaves.thaw()
        removal.wait_until_gone()
        removal.bring_back()
    removal.load.finish()
    removal.load.assert_account(*removal.subscribers, repeats=True)
    assert removal.load.failures == {NO_ROUTE, TIMEOUT, UNAVAILABLE}
