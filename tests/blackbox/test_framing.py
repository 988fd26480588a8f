"""Both framings: however the bytes are cut or glued, whatever garbage lies between, requests are found."""
import itertools
import random
import struct

import pytest

from harness.client import encode, frame, request
from harness.replies import assert_failure, assert_success, assert_successes

TOPICS = (f"f/{number}" for number in itertools.count())
LIMIT = 4096


@pytest.fixture(scope="module")
def small_limit(shared_lab):
    """sluice with a small max_request_bytes."""
    return shared_lab.sluice(shared_lab.broker(), limits={"max_request_bytes": LIMIT})


def assert_goes_on(client):
    """The connection still serves, and nothing but this reply is waiting."""
    reply = client.ask(request(id="goes on"))
    assert_success(reply)
    assert reply["id"] == "goes on"


def of_size(size, **members):
    """A request of exactly so many bytes."""
    value = request(message="", **members)
    value["message"] = "x" * (size - len(encode(value)))
    assert len(encode(value)) == size
    return value


# --- cut and glued
def split_at_every_byte(rig, data):
    """A client for each place at which the data can be split: its second part is another read than its first."""
    clients = [rig.client() for _ in data[1:]]
    for cut, client in enumerate(clients, 1):
        client.send_raw(data[:cut])
    for cut, client in enumerate(clients, 1):
        client.wait_until_read()
        client.send_raw(data[cut:])
    return clients


def test_a_request_may_be_split_at_every_byte(shared_rig):
    for client in split_at_every_byte(shared_rig, encode(request(topic="dev/文/cmd", message='a "quoted} {\\ brace'))):
        assert_success(client.read_reply())


def test_a_framed_request_may_be_split_at_every_byte(shared_rig):
    for client in split_at_every_byte(shared_rig, frame(request(topic="dev/文/cmd"))):
        assert_success(client.read_frame())


def test_requests_may_come_byte_by_byte(shared_rig):
    client, topic = shared_rig.client(), next(TOPICS)
    for byte in encode(request(topic=topic, message=1)) + encode(request(topic=topic, message=2)):
        client.send_raw(bytes([byte]))
        client.wait_until_read()
    assert_successes(client, 2)
    shared_rig.subscriber.wait_for(2, topic)
    assert shared_rig.subscriber.payloads(topic) == [b"1", b"2"]


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n", b" \t \n\n "], ids=["nothing", "newline", "crlf", "space"])
def test_many_requests_may_come_in_one_piece(shared_rig, between):
    client, topic = shared_rig.client(), next(TOPICS)
    client.send_raw(between.join(encode(request(topic=topic, message=i)) for i in range(100)) + between)
    assert_successes(client, 100)
    shared_rig.subscriber.wait_for(100, topic)
    assert shared_rig.subscriber.payloads(topic) == [str(i).encode() for i in range(100)]


def test_framed_requests_may_come_in_random_pieces(shared_rig):
    client, topic, chance = shared_rig.client(), next(TOPICS), random.Random(9501)
    data = b"".join(frame(request(topic=topic, message=i)) for i in range(200))
    at = 0
    while at < len(data):
        size = chance.choice([1, 2, 3, 5, 40, 90, 91, 92, 300, 2000])
        client.send_raw(data[at:at + size])
        at += size
        if chance.random() < 0.3:
            client.wait_until_read()
    for _ in range(200):
        assert_success(client.read_frame())
    shared_rig.subscriber.wait_for(200, topic)
    assert shared_rig.subscriber.payloads(topic) == [str(i).encode() for i in range(200)]


def test_a_request_of_exactly_the_limit_is_served(small_limit):
    client = small_limit.client()
    assert_success(client.ask(of_size(LIMIT)))
    framed = small_limit.client()
    framed.send_frame(of_size(LIMIT))
    assert_success(framed.read_frame())


def test_white_space_within_a_request_is_allowed(shared_rig):
    client = shared_rig.client()
    assert_success(client.ask(b' {\r\n "device_id" : 7 ,\t"mqtt_topic" : "a" ,\n"message"\n:\n"b" } '))


def test_a_byte_order_mark_is_skipped(shared_rig):
    client = shared_rig.client()
    assert_success(client.ask(b"\xef\xbb\xbf" + encode(request())))
    assert_goes_on(client)


def test_a_byte_order_mark_may_come_in_pieces(shared_rig):
    client = shared_rig.client()
    for byte in (b"\xef", b"\xbb", b"\xbf"):
        client.send_raw(byte)
        client.wait_until_read()
    assert_goes_on(client)


# --- garbage, and the recovery
@pytest.mark.parametrize("garbage", [
    b"garbage\n", b"]\n", b"}\n", b'"a string"\n', b"[1,2]\n", b"42\n", b"\xff\xfe\xfd\n", b"a\x01b\n", b",\n",
    b"GETAWAY\n", b"Hosts: x\n", b"trailing { brace } here\n", b"x" * 3000 + b"\n", b"hello\r\n"],
    ids=lambda garbage: repr(garbage[:16]))
def test_a_line_of_garbage_is_answered_once(small_limit, garbage):
    client = small_limit.client()
    client.send_raw(garbage)
    assert_failure(client.read_reply(), "bad_request")
    assert_goes_on(client)
    client.send_raw(garbage + encode(request(id=1)) + garbage)
    replies = client.read_replies(3)
    assert sorted(r.get("id", 0) for r in replies) == [0, 0, 1]
    assert_goes_on(client)


@pytest.mark.parametrize("faulty", [
    b'{"device_id":1,}', b'{"device_id" 1001}', b'{"a":tru}', b"{'a':1}", b'{"a":1,"a"}', b'{a:1}', b"{,}",
    b'{"a":"\xff"}', b'{"a":"\\q"}', b'{"a":"\\u12"}', b'{"a":{"b":{"c":}}}', b'{"a":"}","b":x}', b'{"a":1e}',
    b'{"a":01}', b'{"a":"\x01"}', b"{" + b'"a":{' * 200 + b"}" * 200 + b"}", b'{"a":"cut by a newline\n'],
    ids=lambda faulty: repr(faulty[:24]))
def test_a_faulty_object_ends_at_its_brace_and_is_answered_once(shared_rig, faulty):
    client = shared_rig.client()
    client.send_raw(faulty)
    assert_failure(client.read_reply(), "bad_request")
    assert_goes_on(client)
    client.send_raw(faulty + encode(request()) + faulty + encode(request()))
    assert [r["code"] for r in client.read_replies(4)] == [2, 1, 2, 1]
    assert_goes_on(client)


@pytest.mark.parametrize("body", [
    b"garbage", b"[]", b'""', b"{", b'{"a":1', b"{}{}", b"\xff", b"   ", b"GET / HTTP/1.1",
    b'{"device_id":1,"mqtt_topic":"a","message":"b"}x'])
def test_a_framed_fault_is_answered_once(shared_rig, body):
    client = shared_rig.client()
    client.send_frame(body)
    assert_failure(client.read_frame(), "bad_request")
    client.send_raw(frame(body) + frame(request()))
    assert [client.read_frame()["code"] for _ in range(2)] == [2, 1]


def test_a_frame_of_length_0_is_a_bad_request(shared_rig):
    client = shared_rig.client()
    client.send_raw(b"\0\0\0\0" + frame(request()))
    assert_failure(client.read_frame(), "bad_request")
    assert_success(client.read_frame())


def test_garbage_without_an_end_closes_the_connection_gently(small_limit):
    client = small_limit.client()
    client.send_in_background(b"x" * (8 * LIMIT))
    replies = client.read_replies_until_eof()
    assert len(replies) == 1
    assert_failure(replies[0], "bad_request")
    assert_goes_on(small_limit.client())


# --- too large
def test_too_large_is_said_when_the_limit_is_passed_and_the_connection_goes_on(small_limit):
    client = small_limit.client()
    data = encode(of_size(10 * LIMIT))
    client.send_raw(data[:LIMIT + 1])
    assert_failure(client.read_reply(), "too_large")
    client.send_raw(data[LIMIT + 1:])
    assert_goes_on(client)


def test_too_large_in_the_midst_of_good_requests_costs_only_itself(small_limit):
    client = small_limit.client()
    good, large = encode(request()), encode(of_size(50 * LIMIT, topic="}{"))
    client.send_in_background((good + large + good) * 3)
    assert [(r["code"], r.get("error")) for r in client.read_replies(9)] == [
        (1, None), (2, "too_large"), (1, None)] * 3
    assert_goes_on(client)


def test_a_frame_beyond_the_limit_is_too_large_and_ends_the_connection_gently(small_limit):
    client = small_limit.client()
    client.send_raw(frame(request()) + struct.pack(">I", LIMIT + 1))
    client.send_in_background(b"x" * (64 * LIMIT))
    assert_success(client.read_frame())
    assert_failure(client.read_frame(), "too_large")
    assert client.read_until_eof() == b""
    assert_goes_on(small_limit.client())


def test_a_later_frame_with_an_enormous_length_is_too_large(shared_rig):
    client = shared_rig.client()
    client.send_raw(frame(request()) + b"\xff\xff\xff\xff")
    assert_success(client.read_frame())
    assert_failure(client.read_frame(), "too_large")
    assert client.read_until_eof() == b""


# --- browsers
@pytest.mark.parametrize("line", [
    b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"PUT /x HTTP/1.1\r\n", b"OPTIONS * HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n", b"DELETE / HTTP/1.1\r\n", b"Host: 127.0.0.1:9501\r\n"])
def test_an_http_request_ends_the_connection_and_publishes_nothing(shared_rig, line):
    client, topic = shared_rig.client(), next(TOPICS)
    body = encode(request(topic=topic))
    client.send_raw(line + b"Host: 127.0.0.1\r\nContent-Length: 99\r\n\r\n" + body)
    client.read_until_eof()
    assert_success(shared_rig.client().ask(request(topic="after " + topic)))
    shared_rig.subscriber.wait_for(1, "after " + topic)
    assert not shared_rig.subscriber.messages(topic)
    shared_rig.sluice.wait_for_log(r"client \S+ #\d+: .*http")


def test_an_http_line_behind_a_request_ends_the_connection_too(shared_rig):
    client, topic = shared_rig.client(), next(TOPICS)
    assert_success(client.ask(request()))
    client.send_raw(b"\nPOST / HTTP/1.1\r\n\r\n" + encode(request(topic=topic)))
    client.read_until_eof()
    assert_goes_on(shared_rig.client())
    assert not shared_rig.subscriber.messages(topic)


# --- ends
def test_a_client_that_closes_its_writing_side_still_gets_all_its_replies(shared_rig):
    client = shared_rig.client()
    client.send_raw(encode(request()) * 300)
    client.half_close()
    assert [r["code"] for r in client.read_replies_until_eof()] == [1] * 300


def test_a_framed_client_that_closes_its_writing_side_still_gets_all_its_replies(shared_rig):
    client = shared_rig.client()
    client.send_raw(frame(request()) * 50)
    client.half_close()
    for _ in range(50):
        assert_success(client.read_frame())
    assert client.read_until_eof() == b""


@pytest.mark.parametrize("begun", [b"", b"{", b'{"device_id":', b"\0", b"\0\0\0\x20{"], ids=repr)
def test_a_client_that_leaves_in_the_midst_of_a_request_harms_nobody(shared_rig, begun):
    client = shared_rig.client()
    client.send_raw(begun)
    client.half_close()
    client.read_until_eof()
    assert_goes_on(shared_rig.client())


def test_a_client_that_vanishes_with_requests_outstanding_harms_nobody(rig):
    rig.broker.freeze()
    client = rig.client()
    client.send_raw(encode(request()) * 20)
    client.wait_until_read()
    client.close()
    rig.broker.thaw()
    assert_goes_on(rig.client())
