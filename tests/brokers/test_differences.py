"""Where brokers differ: their own limits and faults, and what those cost at sluice (docs/brokers.md)."""
import re

import pytest

from harness.client import encode, request
from harness.replies import assert_failure, assert_success, assert_successes
from harness.waiting import wait_until
from kinds import KINDS

UNSUPPORTED_QOS, TOPIC_INVALID = 0x9B, 0x90

EACH = pytest.mark.parametrize("broker", KINDS, indirect=True)


def at(kind):
    return pytest.mark.parametrize("broker", [kind], indirect=True)


def reconnects(sluice):
    return sluice.broker_status()["reconnects"]


def ask_until_a_connection_is_lost(sluice, times, value):
    """Sends the request up to `times` times, each after the reply to the one before, and waits until all connections
    are up. Returns how many were re-established."""
    client = sluice.client()
    for _ in range(times):
        client.ask(value)
        if reconnects(sluice):
            break
    sluice.wait_for_connections(4)
    return reconnects(sluice)


# --- topics
@EACH
@pytest.mark.parametrize("root", ["$SYS", "$share"])
def test_a_topic_of_the_broker_s_own_costs_no_connection(rig, root):
    sluice = rig.sluice()
    assert ask_until_a_connection_is_lost(sluice, 8, request(topic=f"{root}/{rig.topic}", timeout_ms=5000)) == 0


@EACH
def test_a_topic_of_200_levels_costs_no_connection(rig):
    sluice = rig.sluice()
    assert ask_until_a_connection_is_lost(sluice, 1, request(topic="/".join([rig.topic] * 200), timeout_ms=5000)) == 0


@at("aedes")
def test_a_topic_on_which_the_broker_hangs_up_is_rejected_and_holds_up_no_other_device(rig):
    sluice = rig.sluice(max_topic_levels=201)
    client, other = sluice.client(), sluice.client()
    client.send(request(device=1, topic="/".join([rig.topic] * 101)))
    for number in range(100):
        assert_success(other.ask(request(device=2, topic=f"{rig.topic}/2", message=number)))
    assert_failure(client.read_reply(), "rejected", "unknown")


@at("aedes")
def test_a_topic_on_which_the_broker_hung_up_costs_nothing_when_it_is_sent_again(rig):
    sluice = rig.sluice(max_topic_levels=201)
    client = sluice.client()
    deep = request(topic="/".join([rig.topic] * 101))
    assert_failure(client.ask(deep), "rejected", "unknown")
    sluice.wait_for_connections(4)
    before = reconnects(sluice)
    assert_failure(client.ask(deep), "rejected")
    sluice.wait_for_connections(4)
    assert reconnects(sluice) == before


@at("ejabberd")
def test_a_topic_that_ejabberd_forbids_is_rejected_and_costs_no_connection(rig):
    sluice = rig.sluice()
    reply = sluice.client().ask(request(topic="$own/x"))
    assert_failure(reply, "rejected")
    assert reply["reason_code"] == TOPIC_INVALID
    assert reconnects(sluice) == 0


@at("ejabberd")
def test_the_reply_says_why_ejabberd_forbids_a_topic(rig):
    reply = rig.sluice().client().ask(request(topic="$own/x"))
    assert "Publishing to this topic is forbidden by service policy" in reply["detail"]


@at("rabbitmq")
def test_rabbitmq_delivers_dots_and_stars_in_topics_as_slashes_and_pluses(rig):
    """RabbitMQ translates topics into those of AMQP and back."""
    subscriber = rig.subscriber()
    client = rig.sluice().client()
    for name in ("a.b", "*"):
        assert_success(client.ask(request(topic=f"{rig.topic}/{name}")))
    assert [message.topic for message in subscriber.wait_for(2)] == [f"{rig.topic}/a/b", f"{rig.topic}/+"]


# --- QoS 2 at a RabbitMQ, which answers it with PUBACK
@at("rabbitmq")
def test_qos_2_is_acknowledged_by_a_rabbitmq_and_then_rejected_beforehand(rig):
    subscriber = rig.subscriber(qos=1)
    sluice = rig.sluice()
    client = sluice.client()
    assert_success(client.ask(request(topic=f"{rig.topic}/1", message="first", qos=2, timeout_ms=5000)))
    reply = client.ask(request(topic=f"{rig.topic}/1", message="second", qos=2, timeout_ms=5000))
    assert_failure(reply, "rejected")
    assert reply["reason_code"] == UNSUPPORTED_QOS
    assert_success(client.ask(request(topic=f"{rig.topic}/1", message="third", qos=1)))
    subscriber.wait_for_payload(b"third")
    assert subscriber.payloads() == [b"first", b"third"]
    assert reconnects(sluice) == 0


@at("rabbitmq")
def test_qos_2_of_one_client_at_a_rabbitmq_costs_the_messages_of_others_nothing(rig):
    sluice = rig.sluice()
    client, other = sluice.client(), sluice.client()
    client.send_in_background(b"".join(
        encode(request(device=1 + i % 20, topic=f"{rig.topic}/2", qos=2, timeout_ms=3000)) for i in range(100)))
    other.send_in_background(b"".join(
        encode(request(device=101 + i % 20, topic=f"{rig.topic}/1", qos=1, timeout_ms=3000)) for i in range(100)))
    assert_successes(other, 100)
    client.read_replies(100)
    assert reconnects(sluice) == 0


# --- what a connection begins with
@pytest.mark.parametrize(
    "broker", [name for name, kind in KINDS.items() if kind.protocol == "3.1.1"], indirect=True)
def test_the_fallback_to_3_1_1_is_one_line(rig):
    sluice = rig.sluice()
    sluice.wait_for_connections(4)
    assert len(re.findall(r" warn +broker main", sluice.log())) == 1


@EACH
def test_the_automatic_window_begins_with_64_or_the_receive_maximum_that_the_broker_announces(rig):
    announced = {"Mosquitto": 20}
    sluice = rig.sluice()
    sluice.wait_for_connections(4)
    windows = {slot["window"] for slot in sluice.broker_status()["connections"]}
    assert windows == {announced.get(rig.broker.name, 64)}


# --- session takeover
@EACH
def test_another_process_with_the_same_client_identifiers_is_reported(rig):
    first = rig.sluice(connections=2, client_id="twin-{slot}")
    second = rig.sluice(connections=2, client_id="twin-{slot}", until="alive")
    wait_until(lambda: first.broker_status()["taken_over"] + second.broker_status()["taken_over"] > 0,
               lambda: f"one of them reports the other\n{first.log()[-2000:]}\n{second.log()[-2000:]}")
