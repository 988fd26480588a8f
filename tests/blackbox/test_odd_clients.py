"""Clients that send something beside requests: ends of their own, heartbeats, HTTP, lengths of other dialects."""
import itertools
import struct
import urllib.error
import urllib.request

import pytest

from harness.client import encode, request
from harness.replies import assert_failure, assert_success, assert_successes

TOPICS = (f"o/{number}" for number in itertools.count())
REFUSAL = b"sluice speaks JSON over TCP here, not HTTP"


@pytest.fixture(scope="module")
def hasty(shared_lab):
    """sluice with a short request_timeout_ms and "##" as request_end."""
    return shared_lab.sluice(shared_lab.broker(), server={"request_end": "##"}, limits={"request_timeout_ms": 300})


def assert_goes_on(client):
    reply = client.ask(request(id="goes on"))
    assert_success(reply)
    assert reply["id"] == "goes on"


# --- ends of requests
@pytest.mark.parametrize("end", [b"\0", b"\0\n", b"\0\0", b"\r\n\0"], ids=repr)
def test_requests_may_end_in_a_nul(shared_rig, end):
    client, topic = shared_rig.client(), next(TOPICS)
    for number in range(3):
        assert_success(client.ask(encode(request(topic=topic, message=number)) + end))
    client.send_raw((encode(request(topic=topic, message=3)) + end) * 5)
    assert_successes(client, 5)
    shared_rig.subscriber.wait_for(8, topic)
    assert not client.has_input()


def test_requests_may_end_in_request_end_however_it_is_split(hasty):
    client = hasty.client()
    for _ in range(3):
        assert_success(client.ask(encode(request()) + b"##"))
    client.send_raw((encode(request(message="a##b")) + b"##") * 20 + b"#")
    assert_successes(client, 20)
    client.wait_until_read()
    client.send_raw(b"#")
    client.wait_until_read()
    assert_goes_on(client)


def test_request_end_can_be_reloaded(rig):
    client = rig.client()
    assert_success(client.ask(request()))
    rig.sluice.config["server"]["request_end"] = "END"
    rig.sluice.reload()
    client.send_raw((encode(request()) + b"END") * 3)
    assert_successes(client, 3)
    rig.sluice.config["server"]["request_end"] = ""
    rig.sluice.reload()
    client.send_raw(b"END\n")
    assert_failure(client.read_reply(), "bad_request")
    assert_goes_on(client)


# --- words between requests
@pytest.mark.parametrize("end", [b"\n", b"\0", b"##"], ids=repr)
def test_a_heartbeat_with_an_end_costs_only_itself(hasty, end):
    client = hasty.client()
    for _ in range(2):
        assert_success(client.ask(encode(request()) + b"##"))
        client.send_raw(b"ping" + end)
        assert_failure(client.read_reply(), "bad_request")
    assert_goes_on(client)


def test_a_heartbeat_without_an_end_ends_the_connection_with_a_reply(hasty):
    client = hasty.client()
    assert_success(client.ask(request()))
    client.send_raw(b"ping")
    assert_failure(client.read_reply(), "bad_request")
    client.send_raw(encode(request()))
    replies = client.read_replies_until_eof()
    assert len(replies) == 1
    assert_failure(replies[0], "bad_request")
    assert "request_timeout_ms (300)" in replies[0]["detail"]


def test_the_rest_of_a_too_large_request_has_to_come_in_time(shared_lab):
    sluice = shared_lab.sluice(shared_lab.broker(), limits={"request_timeout_ms": 300, "max_request_bytes": 1000})
    client = sluice.client()
    client.send_raw(encode(request(message="x" * 2000))[:1500])
    assert_failure(client.read_reply(), "too_large")
    replies = client.read_replies_until_eof()
    assert len(replies) == 1
    assert_failure(replies[0], "bad_request")
    assert_goes_on(sluice.client())


# --- HTTP
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_http_is_refused_in_http(shared_rig, method):
    topic = next(TOPICS)
    body = encode(request(topic=topic)) if method == "POST" else None
    asked = urllib.request.Request(f"http://127.0.0.1:{shared_rig.sluice.port}/secret", body, method=method,
                                   headers={"Origin": "http://evil.example", "Content-Type": "text/plain"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=10)
    assert refused.value.code == 400
    assert refused.value.read() == REFUSAL
    headers = {name.lower(): value for name, value in refused.value.headers.items()}
    assert headers == {"content-type": "text/plain", "content-length": str(len(REFUSAL)), "connection": "close"}
    assert_success(shared_rig.client().ask(request(topic="after " + topic)))
    shared_rig.subscriber.wait_for(1, "after " + topic)
    assert not shared_rig.subscriber.messages(topic)
    shared_rig.sluice.wait_for_log(rf"received an HTTP request .*http://127\.0\.0\.1:{shared_rig.sluice.admin_port}\)")


@pytest.mark.parametrize("separator", [b"\n", b"\0", b"\r\n\r\n", b""], ids=repr)
def test_the_body_of_an_http_request_is_never_scanned(shared_rig, separator):
    client, topic = shared_rig.client(), next(TOPICS)
    body = encode(request(topic=topic))
    client.send_raw(b"POST / HTTP/1.1\r\nContent-Length: 999\r\n\r\n")
    client.send_in_background((separator + body) * 100)
    assert client.read_until_eof().endswith(b"\r\n\r\n" + REFUSAL)
    assert_success(shared_rig.client().ask(request(topic="after " + topic)))
    shared_rig.subscriber.wait_for(1, "after " + topic)
    assert not shared_rig.subscriber.messages(topic)


def test_http_behind_a_request_is_a_bad_request_and_the_end(shared_rig):
    client, topic = shared_rig.client(), next(TOPICS)
    client.send_raw(encode(request()) + b"\nPOST / HTTP/1.1\r\n\r\n" + encode(request(topic=topic)))
    replies = client.read_replies_until_eof()
    assert len(replies) == 2
    assert_failure(replies[0] if replies[0]["code"] == 2 else replies[1], "bad_request")
    assert sorted(reply["code"] for reply in replies) == [1, 2]
    assert not shared_rig.subscriber.messages(topic)


def test_a_tls_handshake_ends_the_connection_with_a_reply(shared_rig):
    client = shared_rig.client()
    client.send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))
    replies = client.read_replies_until_eof()
    assert len(replies) == 1
    assert_failure(replies[0], "bad_request")
    assert "TLS" in replies[0]["detail"]


# --- lengths of other dialects
def test_a_little_endian_length_is_named_and_its_request_not_published(shared_rig):
    topic = next(TOPICS)
    body = encode(request(topic=topic))
    for size in (len(body), 0x47, 0x120, 0x12345):
        client = shared_rig.client()
        client.send_raw(struct.pack("<I", size) + body)
        replies = client.read_replies_until_eof()
        assert {reply["error"] for reply in replies} == {"bad_request"}
        assert "big-endian" in replies[-1]["detail"]
    assert_success(shared_rig.client().ask(request(topic="after " + topic)))
    shared_rig.subscriber.wait_for(1, "after " + topic)
    assert not shared_rig.subscriber.messages(topic)


def test_a_length_that_counts_itself_is_named(hasty):
    body = encode(request())
    counted = struct.pack(">I", len(body) + 4) + body
    alone = hasty.client()
    alone.send_raw(counted)
    reply = alone.read_frame()
    assert_failure(reply, "bad_request")
    assert "count its own 4 bytes" in reply["detail"]
    pipelined = hasty.client()
    pipelined.send_raw(counted * 2)
    reply = pipelined.read_frame()
    assert_failure(reply, "bad_request")
    assert "count its own 4 bytes" in reply["detail"]


@pytest.mark.parametrize("prefix, hint", [(b"\0", "first byte 0"), (b"\0\x5b", "2 bytes")])
def test_an_object_where_the_length_goes_on_is_named(shared_rig, prefix, hint):
    client = shared_rig.client()
    client.send_raw(prefix + encode(request()))
    reply = client.read_frame()
    assert_failure(reply, "too_large")
    assert hint in reply["detail"]
    assert client.read_until_eof() == b""
