"""The same promises at every broker: order, QoS, properties, a freeze, a crash and a restart."""
import pytest

from harness.client import encode, request
from harness.load import assert_each_in_order
from harness.order import assert_in_order, numbers_of
from harness.replies import assert_success, assert_successes
from harness.waiting import wait_until
from kinds import KINDS

EACH = pytest.mark.parametrize("broker", KINDS, indirect=True)
OVER_5, OVER_3_1_1 = (
    pytest.mark.parametrize("broker", [name for name, kind in KINDS.items() if kind.protocol == newest], indirect=True)
    for newest in ("5", "3.1.1"))
EACH_QOS = pytest.mark.parametrize(
    "broker, qos", [(name, qos) for name, kind in KINDS.items() for qos in range(kind.max_qos + 1)],
    indirect=["broker"])

DEVICES = range(1, 9)


def batch(rig, numbers, devices=DEVICES, **members):
    """Requests for all numbers, for one device after the other, as bytes; a message is its number."""
    return b"".join(
        encode(request(device=device, topic=f"{rig.topic}/{device}", message=number, timeout_ms=60000, **members))
        for number in numbers for device in devices)


def numbers_seen(rig, subscriber, device):
    return numbers_of(subscriber.payloads(f"{rig.topic}/{device}"))


def losses(sluice):
    status = sluice.broker_status()
    return status["reconnects"] + status["redelivered"]


# --- what arrives
@EACH
def test_a_broker_is_connected_to_without_the_protocol_being_set_and_acknowledges(rig):
    sluice = rig.sluice()
    subscriber = rig.subscriber()
    assert_success(sluice.client().ask(request(topic=f"{rig.topic}/1", message="open")))
    assert subscriber.wait_for(1)[0].payload == b"open"


@EACH_QOS
def test_a_message_arrives_with_its_qos(rig, qos):
    subscriber = rig.subscriber(qos=2)
    sluice = rig.sluice()
    assert_success(sluice.client().ask(request(topic=f"{rig.topic}/1", message="open", qos=qos)))
    [message] = subscriber.wait_for(1)
    assert (message.payload, message.qos) == (b"open", qos)
    assert losses(sluice) == 0


@EACH_QOS
def test_messages_of_each_device_arrive_once_and_in_order(rig, qos):
    subscriber = rig.subscriber()
    sluice = rig.sluice()
    client = sluice.client()
    client.send_in_background(batch(rig, range(250), qos=qos))
    assert_successes(client, 250 * len(DEVICES))
    subscriber.wait_for(250 * len(DEVICES))
    for device in DEVICES:
        assert numbers_seen(rig, subscriber, device) == list(range(250))
    assert losses(sluice) == 0


@EACH
def test_a_large_message_arrives_whole(rig):
    subscriber = rig.subscriber()
    text = "0123456789abcdef" * 16384
    assert_success(rig.sluice().client().ask(request(topic=f"{rig.topic}/1", message=text)))
    assert subscriber.wait_for(1)[0].payload == text.encode()


@EACH
def test_a_retained_message_is_there_for_a_later_subscriber(rig):
    """To this very topic: RabbitMQ keeps retained messages from subscriptions with wildcards."""
    client = rig.sluice().client()
    for message in ("old", "new"):
        assert_success(client.ask(request(topic=f"{rig.topic}/1", message=message, retain=True)))
    [message] = rig.subscriber("1", qos=1).wait_for(1)
    assert (message.payload, message.retain) == (b"new", True)


PROPERTIES = {"content_type": "text/plain", "response_topic": "answers/1", "correlation_data": "job 7",
              "message_expiry_s": 3600, "user": {"origin": "shop", "名": "值"}}


@OVER_5
def test_properties_reach_the_subscriber_over_mqtt_5(rig):
    subscriber = rig.subscriber()
    assert_success(rig.sluice().client().ask(request(topic=f"{rig.topic}/1", properties=PROPERTIES)))
    properties = subscriber.wait_for(1)[0].properties
    assert (properties.ContentType, properties.ResponseTopic, properties.CorrelationData) == (
        "text/plain", "answers/1", b"job 7")
    assert 3500 < properties.MessageExpiryInterval <= 3600
    assert sorted(properties.UserProperty) == sorted(PROPERTIES["user"].items())


@OVER_3_1_1
def test_properties_are_dropped_over_3_1_1_and_that_is_logged_once(rig):
    subscriber = rig.subscriber()
    sluice = rig.sluice()
    client = sluice.client()
    for _ in range(2):
        assert_success(client.ask(request(topic=f"{rig.topic}/1", properties=PROPERTIES)))
    assert [message.payload for message in subscriber.wait_for(2)] == [b"open"] * 2
    assert sluice.log().count("MQTT 3.1.1 has no properties") == 1


# --- a broker that is slow
@EACH
def test_requests_wait_for_a_frozen_broker_and_arrive_once_and_in_order(rig):
    subscriber = rig.subscriber()
    sluice = rig.sluice()
    client = sluice.client()
    with rig.broker.frozen():
        client.send_raw(batch(rig, range(60)))
        client.wait_until_read()
        assert not client.has_input()
    assert_successes(client, 60 * len(DEVICES))
    subscriber.wait_for(60 * len(DEVICES))
    for device in DEVICES:
        assert numbers_seen(rig, subscriber, device) == list(range(60))
    assert losses(sluice) == 0


@EACH
def test_a_broker_frozen_until_its_connections_are_replaced_gets_all_again_in_order(rig):
    """What lay in the sockets of the connections that were given up is read late, and must not come behind what was
    sent again."""
    subscriber = rig.subscriber()
    sluice = rig.sluice(connections=2, ack_timeout_ms=1000, connect_timeout_ms=2000)
    client = sluice.client()
    with rig.broker.frozen():
        client.send_raw(batch(rig, range(60)))
        wait_until(lambda: sluice.broker_status()["connections_up"] == 0,
                   lambda: f"both connections are given up\n{sluice.log()[-4000:]}")
    assert_successes(client, 60 * len(DEVICES))
    assert_success(client.ask(request(topic=f"{rig.topic}/end", message="end")))
    subscriber.wait_for(1, f"{rig.topic}/end")
    for device in DEVICES:
        subscriber.wait_for_payloads((b"%d" % number for number in range(60)), f"{rig.topic}/{device}")
        assert_in_order(numbers_seen(rig, subscriber, device))


# --- a broker that is gone for a while
@EACH
def test_a_broker_killed_with_messages_unacknowledged_gets_them_again_in_order(rig):
    subscriber = rig.subscriber()
    relay = rig.lab.relay(rig.broker)
    sluice = rig.sluice(relay)
    client = sluice.client()
    client.send_raw(batch(rig, range(1)))
    assert_successes(client, len(DEVICES))
    subscriber.wait_for(len(DEVICES))
    rig.broker.freeze()
    client.send_raw(batch(rig, range(1, 60)))
    client.wait_until_read()
    relay.refuse()
    rig.broker.kill()
    rig.broker.start()
    subscriber.wait_for_subscriptions(2)
    relay.accept()
    assert_successes(client, 59 * len(DEVICES))
    for device in DEVICES:
        subscriber.wait_for_payloads((b"%d" % number for number in range(60)), f"{rig.topic}/{device}")
        assert_in_order(numbers_seen(rig, subscriber, device))


@EACH
def test_requests_wait_while_a_broker_is_restarted_under_load(rig):
    subscriber = rig.subscriber()
    sluice = rig.sluice()
    client = sluice.client()
    client.send_in_background(batch(rig, range(400)))
    client.read_replies(50 * len(DEVICES))
    rig.broker.stop()
    sluice.wait_for_status("/readyz", 503)
    rig.broker.start()
    sluice.wait_for_status("/readyz", 200)
    assert_successes(client, 350 * len(DEVICES))
    subscriber.wait_for_subscriptions(2)
    assert_success(client.ask(request(topic=f"{rig.topic}/{DEVICES[0]}", message=400)))
    subscriber.wait_for_payload(b"400")
    seen = {device: numbers_seen(rig, subscriber, device) for device in DEVICES}
    for device, numbers in seen.items():
        assert_each_in_order(device, numbers, repeats=True)
