"""Pressure stops reading, and only from those whose next message waits; nothing is lost or refused.
Memory under pressure is judged in test_limits.py."""
import pytest

from harness.client import encode, request
from harness.fake_broker import WITHHOLD, withhold
from harness.order import assert_in_order, numbers_of
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table, in_threads
from harness.waiting import wait_until

# A broker that is frozen for long must not be taken for lost in these tests.
PATIENT = {"ack_timeout_ms": 120000, "keepalive_s": 600}


def two_brokers(lab, slow, live, **slow_keys):
    """[[broker]] tables: "slow" for devices 1…999, "live" for 1001…1999."""
    return (broker_table(slow, "slow", 0, 1000, **{**PATIENT, **slow_keys}),
            broker_table(live, "live", 1000, 2000))


def fence(sluice):
    """Many turns of sluice's loop: what it would do by itself is done afterwards."""
    client = sluice.client()
    for _ in range(20):
        assert_success(client.ask(request(device=1500)))


@pytest.mark.parametrize("limit", [{"queue_messages": 10}, {"queue_bytes": 100000}], ids=str)
def test_a_full_queue_pauses_its_clients_and_goes_on_when_there_is_room(lab, limit):
    slow, live = lab.broker(), lab.broker()
    subscriber = lab.subscriber(slow)
    sluice = lab.sluice(*two_brokers(lab, slow, live, connections=1, max_inflight=2, **limit))
    slow.freeze()
    clients = [sluice.client() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send_in_background(b"".join(
            encode(request(device=1 + number, topic=f"d/{number}", message=f"{i} ".ljust(10000), timeout_ms=60000))
            for i in range(300)))
        client.wait_until_paused()
    fence(sluice)
    slow.thaw()
    for replies in in_threads(lambda client: client.read_replies(300), clients):
        for reply in replies:
            assert_success(reply)
    subscriber.wait_for(900)
    for number in range(3):
        assert numbers_of(subscriber.payloads(f"d/{number}")) == list(range(300))


def test_an_empty_queue_takes_a_request_larger_than_its_limit(lab):
    broker = lab.broker(start=False)
    sluice = lab.sluice(broker_table(broker, queue_bytes=65536, inflight_bytes=65536), until="alive")
    client = sluice.client()
    client.send(request(message="x" * 500000, timeout_ms=60000))
    client.wait_until_read()
    broker.start()
    assert_success(client.read_reply())
    client.send_raw(encode(request(message="x" * 300000)) * 5)
    assert_successes(client, 5)


def test_inflight_bytes_bounds_what_is_handed_over_and_unacknowledged(lab):
    fake, live = lab.fake_broker(on_publish=withhold), lab.broker()
    sluice = lab.sluice(*two_brokers(lab, fake, live, inflight_bytes=65536))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i, message="x" * 20000)) for i in range(20)))
    fake.wait_for_publishes(3)
    fence(sluice)
    assert len(fake.publishes) <= 4
    for total in range(1, 21):
        fake.wait_for_publishes(total)
        fake.acknowledge_all()
    assert_successes(client, 20)


def test_max_inflight_bounds_what_one_connection_has_unacknowledged(lab):
    fake, live = lab.fake_broker(on_publish=withhold), lab.broker()
    sluice = lab.sluice(*two_brokers(lab, fake, live, connections=1, max_inflight=5))
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i, message=i)) for i in range(20)))
    fake.wait_for_publishes(5)
    fence(sluice)
    assert len(fake.publishes) == 5
    for total in range(5, 21, 5):
        fake.wait_for_publishes(total)
        fake.acknowledge_all()
    assert_successes(client, 20)
    assert fake.most_unacknowledged == 5


def test_max_pipeline_bounds_the_unanswered_requests_of_one_client(lab):
    fake, live = lab.fake_broker(on_publish=withhold), lab.broker()
    sluice = lab.sluice(*two_brokers(lab, fake, live), limits={"max_pipeline": 8})
    client, other = sluice.client(), sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i % 3, message=i)) for i in range(40)))
    fake.wait_for_publishes(8)
    fence(sluice)
    assert len(fake.publishes) == 8
    other.send(request(device=9, message="other"))
    fake.wait_for(lambda broker: b"other" in broker.payloads(), "the other client's message")
    fake.recover()
    assert_successes(client, 40)
    assert_success(other.read_reply())


def test_a_device_whose_link_is_full_holds_up_no_other(lab):
    fake = lab.fake_broker(on_publish=lambda publish: WITHHOLD if publish.topic == "stuck" else None)
    sluice = lab.sluice(broker_table(fake, connections=2, max_inflight=2, **PATIENT))
    stuck, client = sluice.client(), sluice.client()
    stuck.send_raw(b"".join(encode(request(device=1, topic="stuck", message=i, timeout_ms=60000)) for i in range(10)))
    fake.wait_for_publishes(2)
    for device in range(2, 40):
        assert_success(client.ask(request(device=device, topic="free")))
    assert not stuck.has_input()
    fake.recover()
    assert_successes(stuck, 10)
    assert [p.payload for p in fake.publishes if p.topic == "stuck"] == [str(i).encode() for i in range(10)]


def test_a_device_that_floods_a_broker_does_not_starve_another(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(broker, connections=1), limits={"max_pipeline": 1024})
    hot, other = sluice.client(), sluice.client()
    hot.send_in_background(encode(request(device=1, topic="hot", message="x")) * 20000)
    hot.read_replies(200)
    for device in range(2, 12):
        assert_success(other.ask(request(device=device, topic="cold", timeout_ms=20000)))
    assert_successes(hot, 19800)


# --- limits of clients
def test_above_input_bytes_the_client_that_holds_most_is_closed(lab):
    sluice = lab.sluice(lab.broker(), limits={"max_request_bytes": 262144, "input_bytes": 524288})
    first, largest, last = (sluice.client() for _ in range(3))
    whole = {client: encode(request(message="x" * size))
             for client, size in ((first, 200000), (largest, 250000), (last, 200000))}
    for client in (first, largest):
        client.send_raw(whole[client][:-1])
        client.wait_until_read()
    last.send_raw(whole[last][:150000])
    replies = largest.read_replies_until_eof()
    assert len(replies) == 1
    assert_failure(replies[0], "overloaded")
    first.send_raw(whole[first][-1:])
    assert_success(first.read_reply())
    last.send_raw(whole[last][150000:])
    assert_success(last.read_reply())


@pytest.mark.parametrize("begun", [b'{"device_id":', b"\0", b"\0\0\0\x40{"], ids=repr)
def test_a_request_that_does_not_end_in_time_ends_its_connection(lab, begun):
    sluice = lab.sluice(lab.broker(), limits={"request_timeout_ms": 300})
    idle, slow = sluice.client(), sluice.client()
    slow.send_raw(begun)
    slow.read_until_eof()
    assert_success(idle.ask(request()))


def test_a_trickling_request_does_not_escape_its_deadline(lab):
    sluice = lab.sluice(lab.broker(), limits={"request_timeout_ms": 300})
    client = sluice.client()

    def ended_after_another_byte():
        try:
            client.send_raw(b" ")
        except OSError:
            return True
        return client.has_input()
    client.send_raw(b"{")
    wait_until(ended_after_another_byte, "the connection ends", pause_s=0.05)


def test_an_idle_client_is_closed_after_idle_timeout_s(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, server={"idle_timeout_s": 1})
    busy, idle = sluice.client(), sluice.client()
    broker.freeze()
    busy.send(request(timeout_ms=60000))
    assert idle.read_until_eof() == b""
    late = sluice.client()
    assert late.read_until_eof() == b""
    broker.thaw()
    assert_success(busy.read_reply())


def test_without_idle_timeout_s_an_idle_client_stays(lab):
    sluice = lab.sluice(lab.broker(), limits={"request_timeout_ms": 300, "write_timeout_ms": 300})
    client, half = sluice.client(), sluice.client()
    half.send_raw(b"{")
    half.read_until_eof()
    assert_success(client.ask(request()))


# --- slow and dead
def test_a_dead_broker_holds_what_fits_its_queue_and_the_rest_is_answered_at_once(lab):
    broker = lab.broker(start=False)
    sluice = lab.sluice(broker_table(broker, connections=1, queue_messages=5), until="alive")
    client = sluice.client()
    client.send_raw(b"".join(encode(request(id=i, timeout_ms=60000)) for i in range(12)))
    early = client.read_replies(7)
    assert [r["id"] for r in early] == list(range(5, 12))
    for reply in early:
        assert_failure(reply, "broker_unavailable")
    broker.start()
    late = client.read_replies(5)
    assert sorted(r["id"] for r in late) == list(range(5))
    for reply in late:
        assert_success(reply)


def test_a_dead_broker_s_queue_waits_until_each_request_s_deadline(lab):
    sluice = lab.sluice(broker_table(lab.broker(start=False), queue_messages=5), until="alive")
    client = sluice.client()
    client.send_raw(b"".join(encode(request(id=t, timeout_ms=t)) for t in (900, 300, 600)))
    replies = client.read_replies(3)
    assert [r["id"] for r in replies] == [300, 600, 900]
    for reply in replies:
        assert_failure(reply, "broker_unavailable")


def test_when_a_broker_dies_its_parked_requests_are_answered_and_its_clients_read_again(lab):
    broker, live = lab.broker(), lab.broker()
    sluice = lab.sluice(*two_brokers(lab, broker, live, connections=1, max_inflight=2, queue_messages=5,
                                     dead_after_ms=300))
    broker.freeze()
    client = sluice.client()
    client.send_in_background(b"".join(
        encode(request(device=5, id=i, message="x" * 10000, timeout_ms=60000)) for i in range(500)))
    client.wait_until_paused()
    broker.kill()
    refused = client.read_replies(493)
    for reply in refused:
        assert_failure(reply, "broker_unavailable")
    assert [r["id"] for r in refused] == list(range(7, 500))
    broker.start()
    answered = client.read_replies(7)
    assert sorted(r["id"] for r in answered) == list(range(7))
    for reply in answered:
        assert_success(reply)


def test_a_client_of_a_dead_broker_can_still_reach_the_other(lab):
    dead, live = lab.broker(start=False), lab.broker()
    sluice = lab.sluice(broker_table(dead, "dead", 0, 1000, queue_messages=2), broker_table(live, "live", 1000, 2000),
                        until="alive")
    client = sluice.client()
    for number in range(50):
        client.send(request(device=5, id=f"dead {number}", timeout_ms=60000))
        client.send(request(device=1005, id=f"live {number}", timeout_ms=60000))
    replies = {r["id"]: r for r in client.read_replies(98)}
    for number in range(50):
        assert_success(replies[f"live {number}"])
        if number >= 2:
            assert_failure(replies[f"dead {number}"], "broker_unavailable")
    dead.start()
    assert_successes(client, 2)


def test_messages_of_one_size_after_another_stay_in_order_under_pressure(lab):
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    sluice = lab.sluice(broker_table(broker, queue_messages=20, queue_bytes=200000, inflight_bytes=100000, **PATIENT))
    broker.freeze()
    client = sluice.client()
    client.send_in_background(b"".join(
        encode(request(message=f"{i} ".ljust(10 ** (1 + i % 5)), timeout_ms=60000)) for i in range(300)))
    client.wait_until_paused()
    broker.thaw()
    assert_successes(client, 300)
    subscriber.wait_for(300)
    assert_in_order(numbers_of(subscriber.payloads()))
    assert len(subscriber.messages()) == 300
