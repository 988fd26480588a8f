"""A lost connection costs nobody anything: what it had been given is sent again, in order, under the same
identifier; what was answered is never sent again."""
import pytest

from harness import net
from harness.client import encode, request
from harness.fake_broker import WITHHOLD, acknowledge, withhold
from harness.order import assert_in_order, numbers_of
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table, in_threads
from harness.waiting import wait_until

BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


def behind_a_relay(lab, **keys):
    """(broker, its subscriber, the relay, sluice), whose [[broker]] has these keys. The subscriber never writes: a
    broker that is killed cannot take unread messages away from it."""
    broker = lab.broker()
    subscriber = lab.subscriber(broker, qos=0)
    relay = lab.relay(broker)
    return broker, subscriber, relay, lab.sluice(broker_table(relay, **keys))


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_a_broker_killed_with_messages_unacknowledged_gets_them_again_in_order(lab, protocol, qos):
    broker, subscriber, relay, sluice = behind_a_relay(lab, protocol=protocol)
    client = sluice.client()
    client.send_raw(encode(request(message=0, qos=qos)))
    assert_success(client.read_reply())
    broker.freeze()
    client.send_raw(b"".join(encode(request(message=i, qos=qos, timeout_ms=60000)) for i in range(1, 300)))
    client.wait_until_read()
    relay.refuse()
    broker.kill()
    broker.start()
    subscriber.wait_for_subscriptions(2)
    relay.accept()
    assert_successes(client, 299)
    subscriber.wait_for_payloads(str(i).encode() for i in range(300))
    assert_in_order(numbers_of(subscriber.payloads()))


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_connections_cut_under_load_lose_nothing_and_keep_the_order_of_each_device(lab, protocol, qos):
    _, subscriber, relay, sluice = behind_a_relay(lab, protocol=protocol, reconnect_max_ms=50)
    clients = [sluice.client() for _ in range(5)]
    for number, client in enumerate(clients):
        client.send_in_background(b"".join(
            encode(request(device=1 + number, topic=f"d/{number}", message=i, qos=qos, timeout_ms=60000))
            for i in range(1000)))
    for cut in range(1, 6):
        subscriber.wait_for(cut * 500)
        relay.cut()
    for replies in in_threads(lambda client: client.read_replies(1000), clients):
        for reply in replies:
            assert_success(reply)
    for number in range(5):
        subscriber.wait_for_payloads((str(i).encode() for i in range(1000)), f"d/{number}")
        numbers = numbers_of(subscriber.payloads(f"d/{number}"))
        assert set(numbers) == set(range(1000))
        assert_in_order(numbers)


def test_a_stalled_path_loses_and_repeats_nothing(lab):
    _, subscriber, relay, sluice = behind_a_relay(lab)
    client = sluice.client()
    relay.stall()
    client.send_raw(b"".join(encode(request(message=i)) for i in range(500)))
    client.wait_until_read()
    assert not client.has_input()
    relay.resume()
    assert_successes(client, 500)
    subscriber.wait_for(500)
    assert numbers_of(subscriber.payloads()) == list(range(500))


def test_a_connection_without_acknowledgements_for_too_long_is_replaced(lab):
    _, subscriber, relay, sluice = behind_a_relay(lab, connections=1, ack_timeout_ms=500, connect_timeout_ms=1000)
    before = relay.connections
    client = sluice.client()
    relay.stall()
    client.send_raw(b"".join(encode(request(message=i, timeout_ms=60000)) for i in range(50)))
    wait_until(lambda: relay.connections > before, "another connection")
    relay.resume()
    assert_successes(client, 50)
    subscriber.wait_for_payloads(str(i).encode() for i in range(50))
    assert_in_order(numbers_of(subscriber.payloads()))


# --- step by step, at a scripted broker
def test_what_was_unacknowledged_is_sent_again_first_under_the_same_identifier_as_new(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=1, max_inflight=2))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(message=m)) for m in "abc"))
    fake.wait_for_publishes(2)
    fake.on_publish = acknowledge
    fake.drop_connections()
    assert_successes(client, 3)
    assert fake.payloads() == [b"a", b"b", b"a", b"b", b"c"]
    assert not any(publish.dup for publish in fake.publishes)
    assert len({connect.client_id for connect in fake.connects}) == 1
    assert len(fake.connects) == 2 and all(connect.clean for connect in fake.connects)


def test_each_connection_keeps_its_own_identifier(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, connections=4))
    fake.wait_for(lambda broker: len(broker.connects) >= 4, "four connections")
    first = {connect.client_id for connect in fake.connects}
    assert len(first) == 4
    assert all(f"-{sluice.port}-main-" in client_id for client_id in first)
    fake.drop_connections()
    fake.wait_for(lambda broker: len(broker.connects) >= 8, "four more")
    assert {connect.client_id for connect in fake.connects} == first


def test_what_was_answered_timeout_is_never_handed_over_again(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=1))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(message=f"late {i}", timeout_ms=300)) for i in range(5)))
    for reply in client.read_replies(5):
        assert_failure(reply, "timeout", "unknown")
    fake.on_publish = acknowledge
    fake.drop_connections()
    assert_success(client.ask(request(message="marker")))
    assert fake.payloads() == [f"late {i}".encode() for i in range(5)] + [b"marker"]


def test_what_was_answered_broker_unavailable_is_never_handed_over(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=1, max_inflight=1))
    first, client = sluice.client(), sluice.client()
    first.send(request(message=0, timeout_ms=60000))
    fake.wait_for_publishes(1)
    client.send_raw(b"".join(encode(request(message=i, timeout_ms=100)) for i in range(1, 4)))
    for reply in client.read_replies(3):
        assert_failure(reply, "broker_unavailable")
    fake.recover()
    assert_success(first.read_reply())
    assert_success(client.ask(request(message="marker")))
    assert fake.payloads() == [b"0", b"marker"]


def test_a_request_handed_over_to_a_lost_connection_times_out_as_unknown(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker)
    client = sluice.client()
    broker.freeze()
    client.send(request(timeout_ms=500))
    client.wait_until_read()
    broker.kill()
    assert_failure(client.read_reply(), "timeout", "unknown")


def test_a_timed_out_message_keeps_its_place_until_its_connection_settles_it(lab):
    """It still counts as unacknowledged: the window is not exceeded by what the client gave up."""
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=1, max_inflight=2))
    client, other = sluice.client(), sluice.client()
    client.send(request(message="late", timeout_ms=300))
    fake.wait_for_publishes(1)
    other.send(request(message="waits", timeout_ms=60000))
    assert_failure(client.read_reply(), "timeout", "unknown")
    fake.wait_for_publishes(2)
    assert_failure(client.ask(request(message="no room", timeout_ms=300)), "broker_unavailable")
    fake.acknowledge_all()
    fake.on_publish = acknowledge
    assert_success(other.read_reply())
    assert_success(client.ask(request(message="room")))
    assert fake.payloads() == [b"late", b"waits", b"room"]
    assert len(fake.connects) == 1


def test_a_window_full_of_timed_out_messages_is_replaced_at_once(lab):
    fake = lab.fake_broker(on_publish=lambda publish: WITHHOLD if publish.payload.startswith(b"late") else None)
    sluice = lab.sluice(broker_table(fake, connections=1, max_inflight=2, ack_timeout_ms=120000))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(message=f"late {i}", timeout_ms=300)) for i in range(2)))
    for reply in client.read_replies(2):
        assert_failure(reply, "timeout", "unknown")
    assert_success(client.ask(request(message="next")))
    assert fake.payloads() == [b"late 0", b"late 1", b"next"]
    assert len(fake.connects) == 2


def forget_some_acknowledgements(lab, rounds):
    """A broker forgets one PUBACK in eight, which would close the window of 16 in eight rounds of 16 messages. How
    often sluice has connected to it."""
    def forget_some(publish):
        return WITHHOLD if int(publish.payload) % 8 == 0 else None
    fake = lab.fake_broker(on_publish=forget_some)
    sluice = lab.sluice(broker_table(fake, connections=1, max_inflight=16, ack_timeout_ms=120000))
    client = sluice.client()
    for start in range(0, 16 * rounds, 16):
        for number in range(start, start + 16):
            client.send(request(message=number, id=number, timeout_ms=600 if number % 8 == 0 else 20000))
        for reply in client.read_replies(16):
            if reply["id"] % 8 == 0:
                assert_failure(reply, "timeout", "unknown")
            else:
                assert_success(reply)
    assert [int(payload) for payload in fake.payloads()] == list(range(16 * rounds))
    sluice.wait_for_log("acknowledgements are missing")
    return len(fake.connects)


def test_lost_acknowledgements_have_the_connection_replaced_before_they_fill_it(lab):
    assert forget_some_acknowledgements(lab, rounds=3) == 2


@pytest.mark.slow
def test_lost_acknowledgements_have_one_connection_after_the_other_replaced(lab):
    """Fast: the test above, with the first one."""
    assert 3 <= forget_some_acknowledgements(lab, rounds=10) <= 8


def test_what_was_only_queued_moves_to_another_connection(lab):
    """One connection's worth of work is stuck; the other connection takes all that was never handed over."""
    fake = lab.fake_broker(on_publish=lambda publish: WITHHOLD if publish.payload == b"stuck" else None)
    sluice = lab.sluice(broker_table(fake, connections=2, max_inflight=1, ack_timeout_ms=120000))
    stuck, client = sluice.client(), sluice.client()
    stuck.send(request(device=1, message="stuck", timeout_ms=60000))
    fake.wait_for_publishes(1)
    client.send_raw(b"".join(encode(request(device=2 + i, message=i)) for i in range(50)))
    assert_successes(client, 50)
    fake.acknowledge_all()
    assert_success(stuck.read_reply())


def test_qos_0_is_answered_1_and_promises_nothing_more(lab):
    fake = lab.fake_broker()
    client = lab.sluice(broker_table(fake, connections=1)).client()
    assert_success(client.ask(request(qos=0, message="once")))
    fake.wait_for_publishes(1)
    fake.drop_connections()
    assert_success(client.ask(request(message="marker")))
    assert fake.payloads() == [b"once", b"marker"]


def test_qos_0_arrives_once_where_a_full_socket_took_a_part_of_it_and_the_connection_is_lost(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, connections=1, queue_messages=100, ack_timeout_ms=120000, keepalive_s=600))
    client = sluice.client()
    fake.stall()
    # More than the sockets on the way hold. The last ones that they take are a part of a write of many.
    client.send_in_background(b"".join(
        encode(request(qos=0, message=f"{i} ".ljust(4000), timeout_ms=60000)) for i in range(2000)))
    client.wait_until_paused()
    # All that was taken arrives, and the connection is lost, before sluice can send any more.
    with sluice.frozen():
        fake.resume()
        wait_until(lambda: net.under_way_to(fake.port) == 0, "the broker has read it")
        fake.drop_connections()
        fake.wait_for(lambda broker: not broker.identifiers(), "the end of the connection")
        arrived = len(fake.publishes)
    for reply in client.read_replies(2000):
        assert_success(reply)
    fake.wait_for_publishes(2000)
    assert 0 < arrived < 2000
    assert [int(payload) for payload in fake.payloads()] == list(range(2000))
