"""What a broker may make of its bytes: it splits them at every byte, glues many packets together, speaks before it is
spoken to, or sends what MQTT does not know. It is served, or that one connection ends in words."""
import pytest

from harness import mqtt_packets as mqtt
from harness.certs import Authority
from harness.broker_end import Glued, SplitAtEveryByte, Whole
from harness.client import encode, request
from harness.replies import assert_success
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
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail ESMTP\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00\x00",
    mqtt.packet(mqtt.PINGRESP, 0, b""), mqtt.packet(mqtt.PUBACK, 0, b"\0\1"), b"\x20\xff\xff\xff\xff\x7f",
    b"\x20\xff\xff\xff\x7f"], ids=["http", "mail", "tls", "zeroes", "PINGRESP", "PUBACK", "endless-length", "huge"])
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
