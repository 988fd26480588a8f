"""sluice itself is stopped for longer than its deadlines (SIGSTOP, a paused machine): what came meanwhile counts."""
import time

from harness.client import encode, request
from harness.fake_broker import withhold
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table

# Enough for a busy machine to get to the stall.
DEADLINE_S = 5
DEADLINE_MS = DEADLINE_S * 1000


def pause(sluice, meanwhile):
    """Stops the process, and lets it go on when all that is due within DEADLINE_S is overdue."""
    with sluice.frozen():
        meanwhile()
        time.sleep(DEADLINE_S + 0.5)


def test_messages_whose_acknowledgement_lies_in_the_socket_are_ok(lab):
    broker = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(broker, connections=4))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i, id=i, timeout_ms=DEADLINE_MS)) for i in range(200)))
    broker.wait_for_publishes(200)
    pause(sluice, broker.acknowledge_all)
    assert_successes(client, 200)
    assert sluice.broker_status()["reconnects"] == 0


def test_what_no_connection_had_taken_is_sent_no_more(lab):
    broker = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(broker, connections=1, max_inflight=1))
    client = sluice.client()
    for number in range(3):
        client.send(request(device=1 + number, message=number, id=number, timeout_ms=DEADLINE_MS))
    broker.wait_for_publishes(1)
    client.wait_until_read()
    pause(sluice, broker.acknowledge_all)
    replies = {reply["id"]: reply for reply in client.read_replies(3)}
    assert_success(replies[0])
    for number in (1, 2):
        assert_failure(replies[number], "broker_unavailable")
    client.send(request(device=4, message=4, timeout_ms=60000))
    broker.wait_for_publishes(2)
    assert broker.payloads() == [b"0", b"4"]
    broker.acknowledge_all()
    assert_success(client.read_reply())


def test_connections_and_clients_outlive_it(lab):
    broker = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(broker, connections=1, ack_timeout_ms=DEADLINE_MS),
                        limits={"request_timeout_ms": DEADLINE_MS})
    client, slow = sluice.client(), sluice.client()
    text = encode(request(device=2, message="slow"))
    slow.send_raw(text[:20])
    client.send(request(device=1))
    broker.wait_for_publishes(1)
    slow.wait_until_read()

    def meanwhile():
        broker.acknowledge_all()
        slow.send_raw(text[20:])
    pause(sluice, meanwhile)
    assert_success(client.read_reply())
    broker.wait_for_publishes(2)
    broker.acknowledge_all()
    assert_success(slow.read_reply())
    assert sluice.broker_status()["reconnects"] == 0
