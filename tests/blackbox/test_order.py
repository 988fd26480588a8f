"""The order of replies, and the order in which messages arrive."""
import pytest

from harness.client import encode, frame, request
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table, in_threads


@pytest.fixture
def one_frozen(lab):
    """Two brokers side by side: "slow" (1…999) is frozen, "live" (1001…1999) is not."""
    slow, live = lab.broker(), lab.broker()
    sluice = lab.sluice(broker_table(slow, "slow", 0, 1000), broker_table(live, "live", 1000, 2000))
    slow.freeze()
    return sluice, slow


def test_replies_without_an_id_wait_for_earlier_ones_faults_included(one_frozen):
    sluice, slow = one_frozen
    client = sluice.client()
    for value in (request(device=5), request(device=1005), request(qos=9), request(device=5000),
                  request(device=1006)):
        client.send(value)
    client.send(request(device=1007, id="overtakes"))
    first = client.read_reply()
    assert_success(first)
    assert first["id"] == "overtakes"
    slow.thaw()
    assert [(r["code"], r.get("error")) for r in client.read_replies(5)] == [
        (1, None), (1, None), (2, "bad_request"), (2, "no_route"), (1, None)]


def test_a_reply_with_an_id_never_waits_for_another_faults_included(one_frozen):
    sluice, slow = one_frozen
    client = sluice.client()
    client.send(request(device=5, id="slow"))
    client.send(request(device=6))
    reply = client.ask(request(device=5000, id="no route"))
    assert_failure(reply, "no_route")
    assert reply["id"] == "no route"
    reply = client.ask(request(qos=9, id=2))
    assert_failure(reply, "bad_request")
    assert reply["id"] == 2
    assert client.ask(request(device=1005, id=3))["id"] == 3
    slow.thaw()
    replies = client.read_replies(2)
    for reply in replies:
        assert_success(reply)
    assert sorted(r.get("id", "") for r in replies) == ["", "slow"]


def test_framed_replies_follow_the_same_rules(one_frozen):
    sluice, slow = one_frozen
    client = sluice.client()
    client.send_raw(frame(request(device=5)) + frame(b"garbage") + frame(request(device=1005, id=1)))
    assert client.read_frame()["id"] == 1
    slow.thaw()
    assert [client.read_frame()["code"] for _ in range(2)] == [1, 2]


def test_a_timeout_keeps_its_place_among_the_replies(one_frozen):
    sluice, slow = one_frozen
    client = sluice.client()
    client.send(request(device=5))
    client.send(request(device=6, timeout_ms=200))
    client.send(request(device=1005))
    client.send(request(device=6, timeout_ms=200, id="own way"))
    reply = client.read_reply()
    assert_failure(reply, "timeout", "unknown")
    assert reply["id"] == "own way"
    slow.thaw()
    replies = client.read_replies(3)
    assert_success(replies[0])
    assert_failure(replies[1], "timeout", "unknown")
    assert_success(replies[2])


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_2000_pipelined_requests_of_one_device_arrive_in_order(shared_rig, topic, qos):
    client = shared_rig.client()
    client.send_in_background(b"".join(encode(request(topic=topic, message=i, qos=qos)) for i in range(2000)))
    assert_successes(client, 2000)
    shared_rig.subscriber.wait_for(2000, topic)
    assert shared_rig.subscriber.payloads(topic) == [str(i).encode() for i in range(2000)]


def test_messages_of_many_devices_on_one_connection_arrive_in_order_for_each(shared_rig, topic):
    client = shared_rig.client()
    client.send_in_background(b"".join(
        encode(request(device=1 + i % 37, topic=f"{topic}/{i % 37}", message=i)) for i in range(2000)))
    assert_successes(client, 2000)
    for device in range(37):
        expected = [str(i).encode() for i in range(2000) if i % 37 == device]
        shared_rig.subscriber.wait_for(len(expected), f"{topic}/{device}")
        assert shared_rig.subscriber.payloads(f"{topic}/{device}") == expected


def test_one_device_has_one_order_however_its_number_is_written(shared_rig, topic):
    client = shared_rig.client()
    names = [7, "7", "007", "0000000000000000007"]
    client.send_raw(b"".join(encode(request(device=names[i % 4], topic=topic, message=i)) for i in range(400)))
    assert_successes(client, 400)
    shared_rig.subscriber.wait_for(400, topic)
    assert shared_rig.subscriber.payloads(topic) == [str(i).encode() for i in range(400)]


def test_200_clients_at_once_are_all_served(shared_rig, topic):
    def work(number):
        client = shared_rig.client()
        client.send_raw(b"".join(
            encode(request(device=1 + number, topic=f"{topic}/{number}", message=i)) for i in range(10)))
        return client.read_replies(10)

    for replies in in_threads(work, list(range(200))):
        for reply in replies:
            assert_success(reply)
    for number in range(200):
        shared_rig.subscriber.wait_for(10, f"{topic}/{number}")
        assert shared_rig.subscriber.payloads(f"{topic}/{number}") == [str(i).encode() for i in range(10)]


def test_replies_to_200_clients_never_mix(shared_rig):
    def work(number):
        client = shared_rig.client()
        return [client.ask(request(device=1 + number, id=f"{number}/{i}"))["id"] for i in range(5)]

    assert in_threads(work, list(range(200))) == [[f"{n}/{i}" for i in range(5)] for n in range(200)]


def test_qos_1_beside_qos_2_over_3_1_1_loses_nothing(lab):
    """With 20 QoS 2 messages of one client open Mosquitto acknowledges QoS 1 messages that it throws away."""
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    client = lab.sluice(broker_table(broker, protocol="3.1.1", connections=1)).client()
    client.send_in_background(b"".join(encode(request(message=i, qos=1 + i % 2)) for i in range(2000)))
    assert_successes(client, 2000)
    subscriber.wait_for(2000)
    assert len(set(subscriber.payloads())) == 2000
