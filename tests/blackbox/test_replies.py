"""Every row of the table of replies that needs no token, and the exact shape of a reply. `overloaded`: test_limits.py."""
import json

import pytest

from harness.client import encode, request
from harness.replies import assert_failure, assert_success, assert_successes


# --- success
def test_a_success_is_byte_for_byte_today_s_reply(shared_rig):
    client = shared_rig.client()
    client.send(request())
    assert client.read_line() == '{"code":1,"msg":"mqtt 消息发送成功"}'.encode()


def test_a_success_with_an_id_carries_it_behind(shared_rig):
    client = shared_rig.client()
    client.send(request(id="a7"))
    assert client.read_line() == '{"code":1,"msg":"mqtt 消息发送成功","id":"a7"}'.encode()


def test_a_failure_begins_with_code_and_msg_as_today(shared_rig):
    client = shared_rig.client()
    client.send(request(qos=7))
    line = client.read_line()
    start = '{"code":2,"msg":"mqtt 消息发送失败","error":"bad_request","published":"no","detail":"'
    assert line.startswith(start.encode())
    assert line == json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":")).encode()


def test_a_success_says_when_nobody_is_subscribed(lab):
    client = lab.sluice(lab.broker()).client()
    for qos, expected in ((1, 0), (0, None)):
        reply = client.ask(request(qos=qos))
        assert_success(reply)
        assert reply.get("subscribers") == expected


def test_a_success_does_not_speak_of_subscribers_while_there_are_some(shared_rig):
    assert "subscribers" not in shared_rig.client().ask(request())


@pytest.mark.parametrize("end", ["", "\r\n", "\n\n", "--"], ids=repr)
def test_texts_and_end_of_replies_are_configured(lab, end):
    sluice = lab.sluice(lab.broker(), replies={"success": 'yes "文"', "failure": "no\\", "end": end})
    client = sluice.client()
    client.send_raw(encode(request(qos=0)) + encode(request(qos=9)))
    expected = '{"code":1,"msg":"yes \\"文\\""}' + end + '{"code":2,"msg":"no\\\\","error":"bad_request"'
    assert client.read_bytes(len(expected.encode())).decode() == expected
    client.half_close()
    assert client.read_until_eof().endswith(b"}" + end.encode())


def test_a_framed_reply_has_no_end_behind_it(shared_rig):
    client = shared_rig.client()
    client.send_frame(request())
    assert client.read_bytes(4) == (len('{"code":1,"msg":"mqtt 消息发送成功"}'.encode())).to_bytes(4, "big")
    client.half_close()
    assert client.read_until_eof() == '{"code":1,"msg":"mqtt 消息发送成功"}'.encode()


# --- no_route
def test_a_device_in_no_range_is_answered_no_route(shared_rig):
    client = shared_rig.client()
    for device in (0, 1000000, -1, 1000001):
        assert_failure(client.ask(request(device=device)), "no_route")
    for device in (1, 999999):
        assert_success(client.ask(request(device=device)))


# --- broker_unavailable
def test_a_broker_that_is_down_is_waited_for_until_the_deadline(lab):
    broker = lab.broker(start=False)
    sluice = lab.sluice(broker, until="alive")
    client = sluice.client()
    assert_failure(client.ask(request(topic="never", timeout_ms=300)), "broker_unavailable")
    broker.start()
    subscriber = lab.subscriber(broker)
    sluice.wait_for_status("/readyz", 200)
    assert_success(client.ask(request(topic="marker")))
    subscriber.wait_for(1, "marker")
    assert [m.topic for m in subscriber.messages()] == ["marker"]


# --- rejected
def test_a_message_beyond_the_broker_s_maximum_packet_size_is_rejected_beforehand(lab):
    broker = lab.broker(options={"max_packet_size": 1000})
    sluice = lab.sluice(broker)
    subscriber = lab.subscriber(broker)
    client = sluice.client()
    for size in (2000, 1001, 990, 100000):
        assert_failure(client.ask(request(topic="big", message="x" * size)), "rejected")
    assert_success(client.ask(request(topic="small", message="x" * 900)))
    subscriber.wait_for(1, "small")
    assert not subscriber.messages("big")


def test_messages_around_the_maximum_packet_size_never_end_the_process(lab):
    """libmosquitto 2.0.11 aborts on a publish one byte over the broker's limit."""
    sluice = lab.sluice(lab.broker(options={"max_packet_size": 1000}))
    client = sluice.client()
    for qos in (0, 1, 2):
        for size in range(940, 1010):
            reply = client.ask(request(topic="t", message="x" * size, qos=qos))
            assert reply["code"] == 1 or reply["error"] == "rejected", reply


def test_a_retained_message_is_rejected_where_the_broker_keeps_none(lab):
    sluice = lab.sluice(lab.broker(options={"retain_available": "false"}))
    client = sluice.client()
    assert_failure(client.ask(request(retain=True)), "rejected")
    assert_success(client.ask(request(retain=False)))


def test_a_qos_beyond_the_broker_s_maximum_is_rejected(lab):
    sluice = lab.sluice(lab.broker(options={"max_qos": 1}))
    client = sluice.client()
    assert_failure(client.ask(request(qos=2)), "rejected")
    assert_success(client.ask(request(qos=1)))


@pytest.mark.parametrize("qos", [1, 2])
def test_what_the_broker_s_access_list_denies_is_rejected_with_its_reason(lab, qos):
    sluice = lab.sluice(lab.broker(acl="topic readwrite allowed/#\n"))
    client = sluice.client()
    reply = client.ask(request(topic="denied/x", qos=qos, id=9))
    assert_failure(reply, "rejected")
    assert (reply["reason_code"], reply["id"]) == (135, 9)
    assert_success(client.ask(request(topic="allowed/x", qos=qos)))


# --- timeout
@pytest.mark.parametrize("qos", [1, 2])
def test_what_a_broker_does_not_acknowledge_in_time_may_still_arrive_once(rig, qos):
    rig.broker.freeze()
    client = rig.client()
    assert_failure(client.ask(request(topic="late", timeout_ms=500, qos=qos)), "timeout", "unknown")
    rig.broker.thaw()
    assert_success(client.ask(request(topic="marker", qos=qos)))
    rig.subscriber.wait_for(1, "marker")
    assert len(rig.subscriber.messages("late")) == 1
    assert not client.has_input()


def test_the_default_timeout_is_configured(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, defaults={"publish_timeout_ms": 300})
    broker.freeze()
    assert_failure(sluice.client().ask(request()), "timeout", "unknown")


def test_each_request_has_its_own_deadline(rig):
    rig.broker.freeze()
    client = rig.client()
    # In one piece: all of them are read in the same turn, and their deadlines are as far apart as they say.
    client.send_raw(b"".join(encode(request(id=timeout, timeout_ms=timeout)) for timeout in (900, 300, 600)))
    replies = client.read_replies(3)
    assert [r["id"] for r in replies] == [300, 600, 900]
    assert {r["error"] for r in replies} == {"timeout"}


def test_qos_0_is_answered_when_the_socket_has_taken_it(rig):
    client = rig.client()
    for number in range(100):
        client.send(request(topic="qos 0", qos=0, message=number))
    assert_successes(client, 100)
    rig.subscriber.wait_for(100, "qos 0")
    assert rig.subscriber.payloads("qos 0") == [str(n).encode() for n in range(100)]


# --- bad_request in detail
def test_the_detail_names_the_member_that_is_wrong(shared_rig):
    client = shared_rig.client()
    for member, value in (("qos", 7), ("device_id", "x"), ("mqtt_topic", "a/#"), ("timeout_ms", 0)):
        assert member in client.ask({**request(), member: value})["detail"]
    for member in ("device_id", "mqtt_topic", "message"):
        value = request()
        del value[member]
        assert member in client.ask(value)["detail"]
