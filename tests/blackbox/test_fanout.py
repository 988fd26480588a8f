"""Ranges that overlap: a request is accepted by all its brokers or by none, and the reply is honest."""
import pytest

from harness.client import encode, request
from harness.order import numbers_of
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table

BOTH = 75  # the device that belongs to both brokers


def overlapping(a, b, a_keys=None, b_keys=None):
    """Devices 1…99 at "a", 51…149 at "b", 51…99 at both."""
    return (broker_table(a, "a", 0, 100, **(a_keys or {})), broker_table(b, "b", 50, 150, **(b_keys or {})))


@pytest.fixture(scope="module")
def pair(shared_lab):
    """(broker "a", broker "b", a subscriber at each, sluice); each test has a topic of its own."""
    a, b = shared_lab.broker(), shared_lab.broker()
    return a, b, shared_lab.subscriber(a), shared_lab.subscriber(b), shared_lab.sluice(*overlapping(a, b))


def test_a_device_in_two_ranges_reaches_both_brokers(pair, topic):
    _, _, at_a, at_b, sluice = pair
    client = sluice.client()
    for device in (1, 50, 51, 99, 100, 149):
        reply = client.ask(request(device=device, topic=topic, message=device))
        assert_success(reply)
        assert "brokers" not in reply
    at_a.wait_for(4, topic)
    at_b.wait_for(4, topic)
    assert at_a.payloads(topic) == [b"1", b"50", b"51", b"99"]
    assert at_b.payloads(topic) == [b"51", b"99", b"100", b"149"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_both_copies_keep_the_order(pair, topic, qos):
    _, _, at_a, at_b, sluice = pair
    client = sluice.client()
    client.send_in_background(b"".join(
        encode(request(device=BOTH, topic=topic, message=i, qos=qos)) for i in range(1000)))
    assert_successes(client, 1000)
    for subscriber in (at_a, at_b):
        subscriber.wait_for(1000, topic)
        assert numbers_of(subscriber.payloads(topic)) == list(range(1000))


def test_a_success_waits_for_the_slowest_broker(pair, topic):
    _, b, at_a, at_b, sluice = pair
    client = sluice.client()
    with b.frozen():
        client.send(request(device=BOTH, topic=topic))
        at_a.wait_for(1, topic)
        assert_success(sluice.client().ask(request(device=1)))
        assert not client.has_input()
    assert_success(client.read_reply())
    at_b.wait_for(1, topic)


def test_one_timeout_among_two_is_named(pair, topic):
    _, b, _, at_b, sluice = pair
    client = sluice.client()
    with b.frozen():
        reply = client.ask(request(device=BOTH, topic=topic, timeout_ms=1000, id=3))
    assert (reply["code"], reply["error"], reply["id"]) == (2, "timeout", 3)
    assert reply["published"] in ("some", "unknown")
    assert reply["brokers"] == {"a": "ok", "b": "timeout"}
    assert_success(client.ask(request(device=BOTH, topic=topic, message="marker")))
    at_b.wait_for(2, topic)
    assert at_b.payloads(topic) == [b"open", b"marker"]


def test_two_timeouts_are_one_timeout(pair):
    a, b, _, _, sluice = pair
    with a.frozen(), b.frozen():
        reply = sluice.client().ask(request(device=BOTH, timeout_ms=300))
    assert_failure(reply, "timeout", "unknown")
    assert reply["brokers"] == {"a": "timeout", "b": "timeout"}


def test_one_refusal_among_two_is_partial(lab):
    a, b = lab.broker(), lab.broker(acl="topic readwrite allowed/#\n")
    client = lab.sluice(*overlapping(a, b)).client()
    reply = client.ask(request(device=BOTH, topic="denied"))
    assert_failure(reply, "partial", "some")
    assert reply["brokers"] == {"a": "ok", "b": "rejected"}
    assert_success(client.ask(request(device=BOTH, topic="allowed/x")))


def test_two_refusals_are_rejected(lab):
    a, b = (lab.broker(acl="topic readwrite allowed/#\n") for _ in range(2))
    reply = lab.sluice(*overlapping(a, b)).client().ask(request(device=BOTH, topic="denied"))
    assert_failure(reply, "rejected")
    assert reply["brokers"] == {"a": "rejected", "b": "rejected"}


def test_a_refusal_known_beforehand_keeps_it_from_all(lab):
    a, b = lab.broker(), lab.broker(options={"max_packet_size": 500})
    at_a = lab.subscriber(a)
    client = lab.sluice(*overlapping(a, b)).client()
    assert_failure(client.ask(request(device=BOTH, message="x" * 1000)), "rejected")
    assert_success(client.ask(request(device=1, message="x" * 1000)))
    assert_success(client.ask(request(device=BOTH, message="marker")))
    at_a.wait_for(2)
    assert at_a.payloads() == [b"x" * 1000, b"marker"]


def test_a_dead_broker_with_a_full_queue_keeps_it_from_all(lab):
    a, b = lab.broker(), lab.broker(start=False)
    at_a = lab.subscriber(a)
    sluice = lab.sluice(*overlapping(a, b, b_keys={"queue_messages": 1}), until="alive")
    client = sluice.client()
    client.send(request(device=BOTH, message="first", id="first", timeout_ms=60000))
    at_a.wait_for(1)
    reply = client.ask(request(device=BOTH, message="second", id="second", timeout_ms=60000))
    assert_failure(reply, "broker_unavailable")
    assert reply["id"] == "second"
    assert_success(client.ask(request(device=1, message="marker", id="marker")))
    at_a.wait_for_payload(b"marker")
    assert at_a.payloads() == [b"first", b"marker"]
    b.start()
    assert_success(client.read_reply())


def test_a_broker_that_is_down_takes_its_share_when_it_is_back(lab):
    a, b = lab.broker(), lab.broker(start=False)
    at_a = lab.subscriber(a)
    sluice = lab.sluice(*overlapping(a, b), until="alive")
    client = sluice.client()
    client.send(request(device=BOTH, timeout_ms=60000))
    at_a.wait_for(1)
    b.start()
    assert_success(client.read_reply())


def test_one_broker_down_until_the_deadline_is_partial(lab):
    a, b = lab.broker(), lab.broker(start=False)
    reply = lab.sluice(*overlapping(a, b), until="alive").client().ask(request(device=BOTH, timeout_ms=1000))
    assert_failure(reply, "partial", "some")
    assert reply["brokers"] == {"a": "ok", "b": "broker_unavailable"}


def test_where_one_broker_has_no_room_the_client_waits_and_nothing_goes_to_the_other(lab):
    a, b = lab.broker(), lab.broker()
    at_a = lab.subscriber(a)
    full = {"connections": 1, "max_inflight": 1, "queue_messages": 3, "ack_timeout_ms": 120000}
    sluice = lab.sluice(*overlapping(a, b, b_keys=full))
    b.freeze()
    client = sluice.client()
    client.send_in_background(b"".join(
        encode(request(device=BOTH, message=f"{i} ".ljust(10000), timeout_ms=60000)) for i in range(500)))
    client.wait_until_paused()
    for _ in range(50):
        assert_success(sluice.client().ask(request(device=1, topic="other")))
    taken = len(at_a.messages()) - 50
    assert taken <= 5
    b.thaw()
    assert_successes(client, 500)
    at_a.wait_for(550)
    assert numbers_of(m.payload for m in at_a.messages() if m.topic != "other") == list(range(500))


def test_three_brokers_may_share_a_device(lab):
    brokers = [lab.broker() for _ in range(3)]
    subscribers = [lab.subscriber(broker) for broker in brokers]
    sluice = lab.sluice(*(broker_table(broker, f"b{i}", 0, 10 + i) for i, broker in enumerate(brokers)))
    assert_success(sluice.client().ask(request(device=5)))
    for subscriber in subscribers:
        subscriber.wait_for(1)
    brokers[1].freeze()
    reply = sluice.client().ask(request(device=5, timeout_ms=1000))
    assert reply["brokers"] == {"b0": "ok", "b1": "timeout", "b2": "ok"}
