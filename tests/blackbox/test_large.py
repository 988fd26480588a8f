"""Large payloads: each byte arrives, whatever becomes of the request and of the connection meanwhile."""
import random

import pytest

from harness.certs import Authority
from harness.client import encode, frame, request
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table
from harness.waiting import wait_until

# Around what is sent from where it was read, what one read takes, one TLS record, and the memory kept for requests.
SIZES = (0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 69000, 70000, 262144, 278000, 1000000, 1048576)
LIMITS = {"max_request_bytes": 4194304}
HALF_WRITTEN = 3000000  # more than the sockets on the way hold


def payload_of(size, seed=0):
    """ASCII of which no two stretches are alike."""
    return random.Random(seed).randbytes((size + 1) // 2).hex()[:size]


@pytest.fixture(params=["plain", "tls"])
def way(request, lab, tmp_path):  # pylint: disable=redefined-outer-name
    """(a Mosquitto, the [[broker]] table that leads to it by a relay, the relay)"""
    if request.param == "plain":
        broker = lab.broker()
        relay = lab.relay(broker)
        return broker, broker_table(relay, connections=1), relay
    authority = Authority(tmp_path)
    server = authority.issue("localhost", "DNS:localhost")
    broker = lab.broker(tls=server)
    relay = lab.relay(broker)
    table = broker_table(f"mqtts://localhost:{relay.port}", tls={"ca": str(authority.ca)}, connections=1)
    return broker, table, relay


def subscribe(lab, broker):
    return lab.subscriber(broker, tls=broker.tls) if broker.tls else lab.subscriber(broker)


@pytest.mark.parametrize("encoded", [encode, frame], ids=["stream", "length-prefixed"])
def test_each_byte_of_messages_of_any_size_arrives(lab, way, encoded):
    broker, table, relay = way
    subscriber = subscribe(lab, broker)
    sluice = lab.sluice(table, limits=LIMITS)
    payloads = [payload_of(size, seed) for seed, size in enumerate(SIZES)]
    relay.stall()  # the socket fills up first
    client = sluice.client()
    client.send_in_background(b"".join(encoded(request(message=payload)) for payload in payloads))
    wait_until(lambda: sluice.broker_status()["in_flight"] > 0, "the first is handed over")
    relay.resume()
    subscriber.wait_for(len(payloads))
    assert [payload.decode() for payload in subscriber.payloads()] == payloads


def half_written(lab, way, **members):
    """(sluice, its client, a subscriber): a message is handed over to a connection that takes a part of it."""
    broker, table, relay = way
    subscriber = subscribe(lab, broker)
    sluice = lab.sluice(table, limits=LIMITS)
    relay.stall()
    client = sluice.client()
    client.send_in_background(encode(request(message=payload_of(HALF_WRITTEN), **members)))
    wait_until(lambda: sluice.broker_status()["in_flight"] == 1, "it is handed over")
    return sluice, client, subscriber


def assert_arrived(subscriber, *seeds):
    """Messages of that length, in that order and nothing else."""
    subscriber.wait_for(len(seeds))
    assert [payload.decode() for payload in subscriber.payloads()] == [payload_of(HALF_WRITTEN, s) for s in seeds]


def test_a_message_that_times_out_half_written_is_still_written_whole(lab, way):
    sluice, client, subscriber = half_written(lab, way, timeout_ms=500)
    assert_failure(client.read_reply(), "timeout", "unknown")
    # What takes memory meanwhile must not get that one's.
    client.send_in_background(encode(request(message=payload_of(HALF_WRITTEN, 1))))
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "the next one waits")
    way[2].resume()
    assert_success(client.read_reply())
    assert_arrived(subscriber, 0, 1)


def test_a_message_whose_client_leaves_while_it_is_half_written_is_written_whole(lab, way):
    sluice, client, subscriber = half_written(lab, way)
    client.socket.close()
    other = sluice.client()
    other.send_in_background(encode(request(message=payload_of(HALF_WRITTEN, 1))))
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "the next one waits")
    way[2].resume()
    assert_success(other.read_reply())
    assert_arrived(subscriber, 0, 1)


def test_a_message_whose_connection_breaks_while_it_is_half_written_is_sent_again_whole(lab, way):
    _, client, subscriber = half_written(lab, way)
    way[2].cut()
    way[2].resume()
    assert_success(client.read_reply())
    assert_arrived(subscriber, 0)


def test_a_message_that_timed_out_half_written_is_not_sent_again(lab, way):
    sluice, client, subscriber = half_written(lab, way, timeout_ms=500)
    assert_failure(client.read_reply(), "timeout", "unknown")
    way[2].cut()
    way[2].resume()
    sluice.wait_for_connections(1)
    client.send_in_background(encode(request(message=payload_of(HALF_WRITTEN, 1))))
    assert_success(client.read_reply())
    assert_arrived(subscriber, 1)
