"""What a broker may make of its bytes: it splits them at every byte, glues many packets together, speaks before it is
spoken to, or sends what MQTT does not know. It is served, or that one connection ends in words."""
import contextlib

import pytest

from harness import mqtt_packets as mqtt
from harness.certs import Authority
from harness.broker_end import Glued, SplitAtEveryByte, Whole
from harness.client import encode, request
from harness.fake_broker import WITHHOLD
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table

PIECES = pytest.mark.parametrize("pieces", [SplitAtEveryByte, Glued], ids=["split-at-every-byte", "glued"])
VERSIONS = pytest.mark.parametrize("version", [5, 4], ids=["5", "3.1.1"])
PROTOCOL = {5: "5", 4: "3.1.1"}


@pytest.fixture(scope="module")
def localhost(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("localhost", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request, localhost):  # pylint: disable=redefined-outer-name
    return localhost if request.param else None


def table(fake, tls, version, **more):  # pylint: disable=redefined-outer-name
    trust = {"tls": {"ca": str(tls.ca)}} if tls else {}
    return broker_table(fake, protocol=PROTOCOL[version], **trust, **more)


def messages_of_every_qos(count):
    """Three devices: order holds within one QoS, and each has its own."""
    return b"".join(encode(request(device=1 + i % 3, message=i, qos=i % 3)) for i in range(count))


def assert_all_arrived_once(fake, count):
    for qos in range(3):
        expected = [str(i).encode() for i in range(count) if i % 3 == qos]
        fake.wait_for(lambda broker, qos=qos, expected=expected: [
            publish.payload for publish in broker.publishes if publish.qos == qos] == expected, f"all of QoS {qos}")


@PIECES
@VERSIONS
def test_a_broker_is_served_in_whatever_pieces_it_speaks(lab, pieces, version, tls):
    fake = lab.fake_broker(pieces=pieces, tls=tls)
    sluice = lab.sluice(table(fake, tls, version, connections=2))
    client = sluice.client()
    client.send_in_background(messages_of_every_qos(150))
    for reply in client.read_replies(150):
        assert_success(reply)
    assert_all_arrived_once(fake, 150)
    assert len(fake.connects) == 2  # none was lost


@pytest.mark.parametrize("pieces", [SplitAtEveryByte, Glued, Whole], ids=["split-at-every-byte", "glued", "whole"])
@VERSIONS
def test_a_broker_that_accepts_before_it_has_read_the_connect_is_served(lab, pieces, version, tls):
    fake = lab.fake_broker(pieces=pieces, tls=tls, early=version)
    client = lab.sluice(table(fake, tls, version)).client()
    for qos in range(3):
        assert_success(client.ask(request(qos=qos)))
    assert {connect.version for connect in fake.connects} == {version}


@PIECES
@VERSIONS
def test_what_is_glued_behind_the_connack_is_answered(lab, pieces, version, tls):
    """Nothing was subscribed to, but a broker that sends a message gets its acknowledgement."""
    def packets(_connect):
        return (mqtt.packet(mqtt.PINGRESP, 0, b"") + mqtt.publish(version, "t", b"unasked for") +
                mqtt.publish(version, "t", b"once", 1, 7) + mqtt.publish(version, "t", b"exactly", 2, 8))

    fake = lab.fake_broker(pieces=pieces, tls=tls, behind_connack=packets)
    sluice = lab.sluice(table(fake, tls, version, connections=1))
    fake.wait_for(lambda broker: len(broker.answers) >= 2, "a PUBACK and a PUBREC")
    assert [(packet.kind, packet.body) for packet in fake.answers] == [(mqtt.PUBACK, b"\0\7"), (mqtt.PUBREC, b"\0\10")]
    assert_success(sluice.client().ask(request(qos=2)))
    assert len(fake.connects) == 1


@PIECES
def test_a_disconnect_glued_behind_the_connack_is_logged_with_its_reason(lab, pieces, tls):
    busy = [True]
    fake = lab.fake_broker(pieces=pieces, tls=tls, behind_connack=lambda connect: (
        mqtt.packet(mqtt.DISCONNECT, 0, b"\x89") if busy else b""))
    sluice = lab.sluice(table(fake, tls, 5, connections=1, reconnect_max_ms=100), until="alive")
    sluice.wait_for_log("the broker disconnected: server busy")
    busy.clear()
    sluice.wait_for_status("/readyz", 200)
    assert_success(sluice.client().ask(request()))


@pytest.mark.parametrize("said", [
    b"\x00\x00", mqtt.packet(mqtt.PINGRESP, 0, b""), mqtt.packet(mqtt.PUBACK, 0, b"\0\1"),
    b"\x20\xff\xff\xff\xff\x7f", b"\x20\xff\xff\xff\x7f"], ids=["zeroes", "PINGRESP", "PUBACK", "endless-length", "huge"])
def test_what_comes_in_the_place_of_a_connack_ends_the_attempt_in_words(lab, said):
    """Said before the CONNECT was read, too."""
    class Says(Whole):
        def __init__(self, end):
            super().__init__(end)
            end.send(said)

    fake = lab.fake_broker(pieces=Says)
    sluice = lab.sluice(broker_table(fake, connections=1, reconnect_max_ms=100), until="alive")
    sluice.wait_for_log("cannot connect to .*: protocol error by the broker: ")
    assert sluice.http("/healthz")[0] == 200


# --- what MQTT 5 does not know
UNKNOWN = b"\2\x7f\0"  # the length, and property 0x7F
IDENTIFIED = b"\0\1"
WITH_UNKNOWN_PROPERTY = {
    "CONNACK": mqtt.packet(mqtt.CONNACK, 0, b"\0\0" + UNKNOWN),
    "PUBLISH": mqtt.packet(mqtt.PUBLISH, 0, mqtt.counted(b"t") + UNKNOWN),
    "PUBACK": mqtt.packet(mqtt.PUBACK, 0, IDENTIFIED + b"\0" + UNKNOWN),
    "PUBREC": mqtt.packet(mqtt.PUBREC, 0, IDENTIFIED + b"\0" + UNKNOWN),
    "PUBREL": mqtt.packet(mqtt.PUBREL, 2, IDENTIFIED + b"\0" + UNKNOWN),
    "PUBCOMP": mqtt.packet(mqtt.PUBCOMP, 0, IDENTIFIED + b"\0" + UNKNOWN),
    "SUBACK": mqtt.packet(mqtt.SUBACK, 0, IDENTIFIED + UNKNOWN + b"\0"),
    "UNSUBACK": mqtt.packet(mqtt.UNSUBACK, 0, IDENTIFIED + UNKNOWN + b"\0"),
    "DISCONNECT": mqtt.packet(mqtt.DISCONNECT, 0, b"\0" + UNKNOWN),
    "AUTH": mqtt.packet(mqtt.AUTH, 0, b"\x18" + UNKNOWN),
}
# MQTT 5, sections 3.11 and 3.15: these two answer what sluice never sends, so that they end it by themselves.
FAULTS = {kind: f"{kind}: unknown property 0x7F" for kind in WITH_UNKNOWN_PROPERTY} | {
    kind: f"unexpected {kind}" for kind in ("UNSUBACK", "AUTH")}


class Trickster:
    """Serves all its connections; strike() has the one that brought the last message say something."""

    def __init__(self, lab, **more):
        self.outs = []

        class Remembered(Whole):
            def __init__(own, end):  # pylint: disable=no-self-argument
                super().__init__(end)
                self.outs.append(own)

        self.fake = lab.fake_broker(pieces=Remembered, **more)


@pytest.mark.parametrize("kind", WITH_UNKNOWN_PROPERTY)
def test_an_unknown_property_ends_the_connection_it_came_by_and_nothing_else(lab, kind, tls):
    trickster = Trickster(lab, tls=tls)
    fake = trickster.fake
    sluice = lab.sluice(table(fake, tls, 5, connections=3))
    sluice.wait_for_connections(3)
    client = sluice.client()
    assert_success(client.ask(request(message="before")))
    trickster.outs[0].send(WITH_UNKNOWN_PROPERTY[kind])
    sluice.wait_for_log(f"protocol error by the broker: {FAULTS[kind]}")
    fake.wait_for(lambda broker: len(broker.connects) == 4, "the one that was ended connects anew")
    sluice.wait_for_connections(3)
    for device in range(20):
        assert_success(client.ask(request(device=1 + device)))
    assert len(fake.connects) == 4 and not fake.overlaps
    assert sluice.log().count("protocol error by the broker") == 1


# --- what is too large, and what comes without being read
LARGE = mqtt.publish(4, "t", b"x" * 70000, 1, 7)


def test_an_mqtt_5_broker_is_told_how_much_it_may_send_and_loses_the_connection_for_more(lab, tls):
    trickster = Trickster(lab, tls=tls)
    sluice = lab.sluice(table(trickster.fake, tls, 5, connections=2, max_incoming_packet_bytes=70000))
    sluice.wait_for_connections(2)
    assert all(b"\x27" + (70000).to_bytes(4, "big") in connect.properties for connect in trickster.fake.connects)
    trickster.outs[0].send(mqtt.publish(5, "t", b"x" * 69900, 1, 7))
    trickster.fake.wait_for(lambda broker: broker.answers, "a PUBACK")
    trickster.outs[1].send(mqtt.publish(5, "t", b"x" * 70000, 1, 7))
    sluice.wait_for_log("protocol error by the broker: PUBLISH of 70010 bytes; max_incoming_packet_bytes is 70000")
    trickster.fake.wait_for(lambda broker: len(broker.connects) == 3, "the one that was ended connects anew")


def test_a_large_message_of_a_broker_of_3_1_1_is_passed_over_and_acknowledged(lab, tls):
    trickster = Trickster(lab, tls=tls)
    sluice = lab.sluice(table(trickster.fake, tls, 4, connections=1))
    assert_success(sluice.client().ask(request()))
    trickster.outs[0].send(LARGE + LARGE)
    trickster.fake.wait_for(lambda broker: len(broker.answers) == 2, "two PUBACKs")
    assert {packet.body for packet in trickster.fake.answers} == {b"\0\7"}
    assert_success(sluice.client().ask(request()))
    assert len(trickster.fake.connects) == 1


@VERSIONS
def test_a_broker_that_sends_without_reading_loses_that_connection_and_costs_no_memory(lab, version):
    trickster = Trickster(lab)
    fake = trickster.fake
    sluice = lab.sluice(table(fake, None, version, connections=1, keepalive_s=0))
    client = sluice.client()
    assert_success(client.ask(request()))
    fake.stall()
    before = sluice.resident_bytes()
    client.send_in_background(encode(request(message="x" * 100000)) * 40)  # more than the sockets hold
    with contextlib.suppress(OSError):
        for _ in range(2000):
            trickster.outs[0].send(mqtt.publish(version, "t", b"x", 1, 7) * 1000)
    sluice.wait_for_log("protocol error by the broker: it does not read, and [0-9]+ answers wait for it")
    assert sluice.resident_bytes() < before + (64 << 20)


# --- what it says in words
def test_a_broker_that_answers_qos_2_with_a_puback_has_the_message_and_gets_no_more_of_them(lab, tls):
    trickster = Trickster(lab, tls=tls)
    fake = trickster.fake

    def as_qos_1(publish):
        trickster.outs[-1].send(mqtt.acknowledgement(mqtt.PUBACK, publish.packet_id, 5))
        return WITHHOLD

    fake.on_publish = as_qos_1
    sluice = lab.sluice(table(fake, tls, 5, connections=1))
    client = sluice.client()
    client.send_in_background(encode(request(qos=2)) * 3)
    assert {client.read_reply()["code"] for _ in range(3)} <= {1, 2}
    reply = client.ask(request(qos=2))
    assert_failure(reply, "rejected")
    assert reply["reason_code"] == 0x9B
    assert_success(client.ask(request(qos=1)))
    assert len(fake.connects) == 1
    assert sluice.log().count("acknowledges QoS 2 as QoS 1") == 1


def test_max_qos_rejects_what_is_above_it_before_there_is_a_connection(lab):
    fake = lab.fake_broker(connack=lambda connect: 0x88)
    sluice = lab.sluice(broker_table(fake, max_qos=1), until="alive")
    reply = sluice.client().ask(request(qos=2))
    assert_failure(reply, "rejected")
    assert reply["reason_code"] == 0x9B


def test_the_reason_of_a_refusal_is_in_the_reply(lab, tls):
    trickster = Trickster(lab, tls=tls)

    def refuse(publish):
        reason = b"\x1f" + mqtt.counted("quota\r\nof \u4e0d \"b\"".encode())
        body = publish.packet_id.to_bytes(2, "big") + b"\x97" + mqtt.variable_integer(len(reason)) + reason
        trickster.outs[-1].send(mqtt.packet(mqtt.PUBACK, 0, body))
        return WITHHOLD

    trickster.fake.on_publish = refuse
    sluice = lab.sluice(table(trickster.fake, tls, 5, connections=1))
    reply = sluice.client().ask(request())
    assert_failure(reply, "rejected")
    assert reply["reason_code"] == 0x97
    assert reply["detail"].endswith("message rejected: quota\r\nof \u4e0d \"b\"")


SAID = b"\x1f" + mqtt.counted(b"moved\x07") + b"\x1c" + mqtt.counted(b"other.example.net:1883")


def test_what_a_broker_says_with_a_refusal_or_a_disconnect_is_logged_escaped(lab):
    refusal = mqtt.packet(mqtt.CONNACK, 0, b"\0\x9d" + mqtt.variable_integer(len(SAID)) + SAID)
    sluice = lab.sluice(broker_table(lab.fake_broker(connack=lambda connect: refusal)), until="alive")
    sluice.wait_for_log('refused by .*: Server moved: "moved.x07"; it names another server: other.example.net:1883')
    trickster = Trickster(lab)
    sluice = lab.sluice(table(trickster.fake, None, 5, connections=1))
    trickster.outs[0].send(mqtt.packet(mqtt.DISCONNECT, 0, b"\x9d" + mqtt.variable_integer(len(SAID)) + SAID))
    sluice.wait_for_log('disconnected: Server moved: "moved.x07"; it names another server: other.example.net:1883')


def test_a_password_goes_without_a_user_name_over_mqtt_5(lab):
    fake = lab.fake_broker()
    lab.sluice(broker_table(fake, connections=1, password="secret")).wait_for_connections(1)
    assert [(connect.username, connect.password) for connect in fake.connects] == [(None, b"secret")]


def test_an_unknown_property_in_a_connack_ends_that_attempt_and_nothing_else(lab, tls):
    """One of three client identifiers is answered so, until it is answered well."""
    struck = [True]

    def wrong_for_one(connect):
        return WITH_UNKNOWN_PROPERTY["CONNACK"] if struck and connect.client_id.endswith("-1") else 0

    fake = lab.fake_broker(tls=tls, connack=wrong_for_one)
    sluice = lab.sluice(table(fake, tls, 5, connections=3, reconnect_max_ms=100))
    client = sluice.client()
    sluice.wait_for_log("cannot connect to .*: protocol error by the broker: CONNACK: unknown property 0x7F")
    for device in range(20):
        assert_success(client.ask(request(device=1 + device)))
    struck.clear()
    sluice.wait_for_connections(3)
    accepted = [connect.client_id for connect in fake.connects if not connect.client_id.endswith("-1")]
    assert len(accepted) == len(set(accepted)) == 2  # these two were never lost
