"""What a broker announces or answers is obeyed: a scripted broker says what no real one says on request."""
import pytest

from harness.client import encode, request
from harness.fake_broker import DROP, withhold
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table
from harness.waiting import wait_until


def test_the_receive_maximum_is_obeyed(lab):
    fake = lab.fake_broker(receive_maximum=3, on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=2, max_inflight=64))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i, message=i, qos=1 + i % 2)) for i in range(60)))
    done = []
    while len(done) < 60:
        fake.acknowledge_all()
        if client.has_input():
            done.append(client.read_reply())
    for reply in done:
        assert_success(reply)
    assert fake.most_unacknowledged <= 3
    assert len(fake.publishes) == 60


@pytest.mark.parametrize("announced, members", [
    ({"maximum_qos": 1}, {"qos": 2}), ({"maximum_qos": 0}, {"qos": 1}), ({"retain_available": 0}, {"retain": True}),
    ({"maximum_packet_size": 200}, {"message": "x" * 300})], ids=str)
def test_what_the_broker_would_refuse_is_rejected_beforehand(lab, announced, members):
    fake = lab.fake_broker(**announced)
    client = lab.sluice(broker_table(fake)).client()
    assert_failure(client.ask(request(**members)), "rejected")
    assert_success(client.ask(request(message="fine", qos=0)))
    fake.wait_for_publishes(1)
    assert fake.payloads() == [b"fine"]


@pytest.fixture(scope="module")
def scripted(shared_lab):
    """(A scripted broker, sluice with one connection to it)"""
    fake = shared_lab.fake_broker()
    return fake, shared_lab.sluice(broker_table(fake, connections=1))


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x90, 0x97, 0x99])
def test_a_refusing_acknowledgement_is_rejected_with_its_reason(scripted, reason, qos):
    fake, sluice = scripted
    fake.on_publish = lambda publish: reason if publish.payload == b"bad" else None
    client = sluice.client()
    reply = client.ask(request(message="bad", qos=qos))
    assert_failure(reply, "rejected")
    assert reply["reason_code"] == reason
    assert_success(client.ask(request(message="good", qos=qos)))
    assert len(fake.connects) == 1


def test_no_matching_subscribers_is_a_success_that_says_so(scripted):
    fake, sluice = scripted
    fake.on_publish = lambda publish: 0x10 if publish.payload == b"alone" else None
    client = sluice.client()
    reply = client.ask(request(message="alone"))
    assert_success(reply)
    assert reply["subscribers"] == 0
    assert "subscribers" not in client.ask(request(message="heard"))


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_the_broker_hangs_up_on_again_when_it_is_alone_is_rejected_as_unknown(lab, qos):
    fake = lab.fake_broker(on_publish=lambda publish: DROP if publish.payload == b"poison" else None)
    sluice = lab.sluice(broker_table(fake, connections=2))
    sluice.wait_for_connections(2)  # a message is not rejected while no other connection is up
    poisoner, client = sluice.client(), sluice.client()
    poisoner.send(request(device=1, message="poison", qos=qos, timeout_ms=30000))
    for device in range(2, 30):
        assert_success(client.ask(request(device=device, message="good", timeout_ms=30000)))
    assert_failure(poisoner.read_reply(), "rejected", "unknown")
    assert_success(poisoner.ask(request(device=1, topic="dev/1/other", message="after")))
    assert fake.payloads().count(b"poison") == 4  # twice as the oldest, twice alone
    connects = len(fake.connects)
    assert_failure(poisoner.ask(request(device=1, message="poison", qos=qos)), "rejected")  # at once, for a minute
    assert len(fake.connects) == connects and fake.payloads().count(b"poison") == 4
    sluice.wait_for_log(r"broker disconnected twice on the same message \(device 1\)")


def test_innocent_messages_beside_poison_are_all_delivered(lab):
    fake = lab.fake_broker(on_publish=lambda publish: DROP if publish.payload == b"poison" else None)
    sluice = lab.sluice(broker_table(fake, connections=2))
    client = sluice.client()
    messages = ["a", "b", "poison", "c", "d"]
    for message in messages:
        client.send(request(message=message, id=message, timeout_ms=30000))
    replies = {reply["id"]: reply for reply in client.read_replies(5)}
    assert_failure(replies["poison"], "rejected", "unknown")
    for message in "abcd":
        assert_success(replies[message])
    assert {b"a", b"b", b"c", b"d"} <= set(fake.payloads())


@pytest.mark.parametrize("reason", [0x80, 0x86, 0x87, 0x88, 0x97, 0x9f])
def test_a_refused_connect_is_tried_again_and_said(lab, reason):
    refusing = [True]
    fake = lab.fake_broker(connack=lambda connect: reason if refusing else 0)
    sluice = lab.sluice(broker_table(fake, connections=1, reconnect_max_ms=100), until="alive")
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "broker_unavailable")
    fake.wait_for(lambda broker: len(broker.connects) >= 3, "three attempts")
    assert sluice.http("/readyz")[0] == 503
    refusing.clear()
    sluice.wait_for_status("/readyz", 200)
    assert_success(sluice.client().ask(request()))


@pytest.mark.parametrize("reason", [0x84, 0x01])
def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1(lab, reason):
    fake = lab.fake_broker(connack=lambda connect: reason if connect.version == 5 else 0)
    client = lab.sluice(broker_table(fake, connections=2)).client()
    assert_success(client.ask(request(message="old")))
    assert {connect.version for connect in fake.connects} == {4, 5}
    assert fake.connects[-1].version == 4
    fake.drop_connections()
    assert_success(client.ask(request(message="again")))
    assert fake.connects[-1].version == 4
    assert fake.payloads() == [b"old", b"again"]


def test_properties_are_dropped_on_a_3_1_1_connection_and_that_is_said_once(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, protocol="3.1.1"), log={"level": "info"})
    client = sluice.client()
    for _ in range(5):
        assert_success(client.ask(request(properties={"content_type": "text/plain", "user": {"a": "b"}})))
    assert {connect.version for connect in fake.connects} == {4}
    assert fake.payloads() == [b"open"] * 5
    assert len([line for line in sluice.log().splitlines() if "broker main: " in line and "propert" in line]) == 1


def test_the_connect_says_what_was_configured(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, connections=1, keepalive_s=77, username="shop", password="p",
                                     client_id="x-{instance}-{broker}-{slot}"), server={"instance": "i7"})
    assert_success(sluice.client().ask(request()))
    connect = fake.connects[0]
    assert (connect.version, connect.client_id, connect.keepalive, connect.clean) == (5, "x-i7-main-0", 77, True)
    assert (connect.username, connect.password) == (b"shop", b"p")


def test_a_broker_that_never_answers_its_connect_is_given_up_after_connect_timeout_ms(lab):
    broker = lab.broker()
    broker.freeze()
    sluice = lab.sluice(broker_table(broker, connections=1, connect_timeout_ms=300), until="alive")
    assert_failure(sluice.client().ask(request(timeout_ms=1000)), "broker_unavailable")
    assert sluice.http("/healthz")[0] == 200
    broker.thaw()
    sluice.wait_for_status("/readyz", 200)
    assert_success(sluice.client().ask(request()))


def test_every_connection_says_goodbye_at_the_end(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, connections=5))
    assert_success(sluice.client().ask(request()))
    fake.wait_for(lambda broker: len(broker.connects) >= 5, "five connections")
    assert sluice.stop() == 0
    wait_until(lambda: len(fake.disconnects) == 5, "five DISCONNECTs")
