"""Reload: brokers that come, go and change while they have messages (contract, promise 7)."""
import pytest

from harness.client import encode, request
from harness.fake_broker import acknowledge, withhold
from harness.metrics import scrape
from harness.order import assert_in_order, numbers_of
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table
from harness.waiting import wait_until

BROKER_SERIES = ("sluice_broker_dead", "sluice_broker_silent", "sluice_inflight", "sluice_queued", "sluice_queue_limit",
                 "sluice_socket_full_total", "sluice_reconnects_total", "sluice_redelivered_total",
                 "sluice_session_taken_over_total")


def narrow(broker, **more):
    """One message in flight, one in the queue; a third one's client is parked."""
    return broker_table(broker, connections=1, max_inflight=1, queue_messages=1, **more)


def wait_for_parked(sluice, name="main"):
    wait_until(lambda: sluice.broker_status(name)["waiting_clients"] == 1, "a parked client")


def fill(sluice, fake, first=None, **members):
    """Three clients: one with a message in flight, which has the members `first` too, one with one in the queue, one
    parked."""
    clients = [sluice.client() for _ in range(3)]
    clients[0].send(request(device=1, message="in flight", **{**members, **(first or {})}))
    fake.wait_for_publishes(len(fake.publishes) + 1)
    clients[1].send(request(device=2, message="queued", **members))
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "one in the queue")
    clients[2].send(request(device=3, message="parked", **members))
    wait_for_parked(sluice)
    return clients


# --- added and removed

def test_a_broker_that_is_added_takes_messages_and_has_all_its_series_at_once(rig, lab):
    other = lab.broker()
    subscriber = lab.subscriber(other)
    client = rig.client()
    assert_failure(client.ask(request(device=2000001)), "no_route")
    rig.sluice.config["broker"].append(broker_table(other, name="other", low=2000000, high=3000000))
    rig.sluice.reload()
    rig.sluice.wait_for_log("configuration reloaded: broker other: added\n")
    metrics = scrape(rig.sluice)
    for series in BROKER_SERIES:
        metrics(series, broker="other")
    assert metrics("sluice_requests_total", broker="other", result="ok") == 0
    assert metrics.sum("sluice_broker_connections", broker="other") == 4
    assert_success(client.ask(request(device=2000001, message="new")))
    assert subscriber.wait_for(1)[0].payload == b"new"


def test_a_removed_broker_gets_nothing_new_and_keeps_what_it_has(lab):
    fake, other = lab.fake_broker(on_publish=withhold), lab.broker()
    elsewhere = broker_table(other, name="other", low=2000000, high=3000000)
    sluice = lab.sluice(narrow(fake), elsewhere)
    clients = fill(sluice, fake)
    sluice.config["broker"] = [elsewhere]
    sluice.reload()
    assert_failure(sluice.client().ask(request(device=4)), "no_route")
    assert_success(sluice.client().ask(request(device=2000001)))
    assert sluice.http("/readyz")[0] == 200
    assert sluice.broker_status()["state"] == "leaving"
    assert scrape(sluice)("sluice_inflight", broker="main") == 1
    fake.recover()
    for client in clients:
        assert_success(client.read_reply())
    assert fake.payloads() == [b"in flight", b"queued", b"parked"]
    wait_until(lambda: sluice.broker_status() is None, "the broker is gone")
    assert not scrape(sluice).of("sluice_requests_total", broker="main")
    assert len(fake.disconnects) == 1
    for client in clients:
        assert_failure(client.ask(request(device=4)), "no_route")


def test_what_a_removed_broker_has_keeps_its_deadlines(lab):
    fake, other = lab.fake_broker(on_publish=withhold), lab.broker()
    elsewhere = broker_table(other, name="other", low=2000000, high=3000000)
    sluice = lab.sluice(narrow(fake), elsewhere)
    # The last deadline is that of the message in flight: a connection whose window is full of messages that timed out
    # is replaced, and the next one would be given what is queued.
    in_flight, queued, parked = fill(sluice, fake, first={"timeout_ms": 3000}, timeout_ms=1000)
    sluice.config["broker"] = [elsewhere]
    sluice.reload()
    assert_failure(queued.read_reply(), "broker_unavailable")
    assert_failure(parked.read_reply(), "broker_unavailable")
    assert_failure(in_flight.read_reply(), "timeout", "unknown")
    wait_until(lambda: sluice.broker_status() is None, "the broker is gone")


def test_a_removed_broker_that_is_down_holds_nothing_up(lab):
    other = lab.broker()
    elsewhere = broker_table(other, name="other", low=2000000, high=3000000)
    sluice = lab.sluice(broker_table("mqtt://127.0.0.1:1"), elsewhere, until="alive")
    client = sluice.client()
    client.send(request(timeout_ms=1000))
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "one in the queue")
    sluice.config["broker"] = [elsewhere]
    sluice.reload()
    assert_failure(client.read_reply(), "broker_unavailable")
    wait_until(lambda: sluice.broker_status() is None, "the broker is gone")


@pytest.mark.parametrize("name, said", [("main", "back"), ("renamed", "back, renamed renamed")])
def test_a_broker_that_comes_back_goes_on_with_its_pool_and_its_order(lab, name, said):
    fake, other = lab.fake_broker(on_publish=withhold), lab.broker()
    elsewhere = broker_table(other, name="other", low=2000000, high=3000000)
    table = broker_table(fake, connections=1, max_inflight=1, client_id="x-{slot}")
    sluice = lab.sluice(table, elsewhere)
    client = sluice.client()
    for number in (1, 2):
        client.send(request(message=str(number)))
    fake.wait_for_publishes(1)
    sluice.config["broker"] = [elsewhere]
    sluice.reload()
    sluice.wait_for_log("configuration reloaded: broker main: removed\n")
    sluice.config["broker"] = [elsewhere, {**table, "name": name}]
    sluice.reload()
    sluice.wait_for_log(f"configuration reloaded: broker main: {said}\n")
    client.send(request(message="3"))
    fake.recover()
    assert_successes(client, 3)
    assert fake.payloads() == [b"1", b"2", b"3"]
    assert len(fake.connects) == 1
    assert scrape(sluice)("sluice_requests_total", broker=name, result="ok") == 3


# --- changed in place

def test_a_range_changes_for_requests_from_then_on(lab):
    first, second = lab.broker(), lab.broker()
    subscribers = [lab.subscriber(first), lab.subscriber(second)]
    sluice = lab.sluice(broker_table(first, name="first", high=100), broker_table(second, name="second", low=99, high=200))
    client = sluice.client()
    for name in ("first", "second"):
        sluice.wait_for_connections(4, name)
    assert_success(client.ask(request(device=50, message="to the first")))
    sluice.config["broker"][0]["max_dev_no"] = 50
    sluice.config["broker"][1]["min_dev_no"] = 49
    sluice.reload()
    assert_success(client.ask(request(device=50, message="to the second")))
    assert subscribers[0].wait_for(1)[0].payload == b"to the first"
    assert subscribers[1].wait_for(1)[0].payload == b"to the second"
    for broker in (first, second):
        wait_until(lambda log=broker.log: log().count("Received PUBLISH") == 1, "the request in the broker's log")
        assert broker.log().count("New client connected") == 1 + 4


def test_a_parked_client_goes_on_where_a_reload_makes_the_queue_larger(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(narrow(fake))
    clients = fill(sluice, fake)
    sluice.config["broker"][0]["queue_messages"] = 10
    sluice.reload()
    wait_until(lambda: sluice.broker_status()["queued"] == 2, "the parked one in the queue")
    sluice.config["broker"][0]["max_inflight"] = 8
    sluice.reload()
    fake.wait_for_publishes(3)
    fake.acknowledge_all()
    for client in clients:
        assert_success(client.read_reply())
    assert len(fake.connects) == 1


def test_a_smaller_window_holds_for_the_connection_there_is(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=1, max_inflight=8))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=i + 1, message=i, id=i)) for i in range(20)))
    fake.wait_for_publishes(8)
    sluice.config["broker"][0]["max_inflight"] = 2
    sluice.reload()
    fake.acknowledge_all()
    fake.wait_for_publishes(10)
    assert sluice.broker_status()["in_flight"] == 2
    fake.recover()
    assert_successes(client, 20)
    assert len(fake.connects) == 1


def test_a_broker_can_be_renamed_in_place(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, name="old", connections=1, max_inflight=1, client_id="x-{slot}"))
    client = sluice.client()
    for number in (1, 2):
        client.send(request(message=str(number)))
    fake.wait_for_publishes(1)
    sluice.config["broker"][0]["name"] = "new"
    sluice.reload()
    sluice.wait_for_log("configuration reloaded: broker old: renamed new\n")
    assert sluice.broker_status("old") is None
    fake.recover()
    assert_successes(client, 2)
    assert len(fake.connects) == 1
    assert scrape(sluice).results("new") == {"ok": 2}


# --- the number of connections

def test_a_pool_grows_and_shrinks_without_losing_what_it_has(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=2, max_inflight=4))
    sluice.wait_for_connections(2)
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=i % 4 + 1, message=f"{i % 4 + 1}/{i // 4}", id=i)) for i in range(16)))
    fake.wait_for_publishes(8)
    sluice.config["broker"][0]["connections"] = 4
    sluice.reload()
    sluice.wait_for_connections(4)
    sluice.config["broker"][0]["connections"] = 1
    sluice.reload()
    assert sluice.broker_status()["in_flight"] >= 8
    fake.recover()
    assert_successes(client, 16)
    sluice.wait_for_connections(1)
    assert len(fake.identifiers()) == 1 and not fake.overlaps
    for device in range(1, 5):
        assert_in_order(numbers_of([p for p in fake.payloads() if p.startswith(b"%d/" % device)]))
    assert len(fake.payloads()) == 16


def test_what_a_leaving_slot_had_in_flight_when_it_was_lost_is_sent_again_under_its_identifier(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=2, client_id="x-{slot}"))
    sluice.wait_for_connections(2)
    client = sluice.client()
    for device in (1, 2):
        client.send(request(device=device, message=f"{device}/0", id=device))
    fake.wait_for_publishes(2)
    sluice.config["broker"][0]["connections"] = 1
    sluice.reload()
    fake.on_publish = acknowledge
    fake.drop_connections()
    assert_successes(client, 2)
    sluice.wait_for_connections(1)
    assert [connect.client_id for connect in fake.connects].count("x-1") == 2
    wait_until(lambda: fake.identifiers() == ["x-0"], "only the first slot is left")
