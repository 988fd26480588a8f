"""The stop: what was accepted is answered, nothing that was answered is lost, and it ends in time."""
import re
import signal
import socket
import threading
import time

import pytest

from harness import net
from harness.client import Client, EndOfConnection, encode, request
from harness.replies import assert_failure, assert_success, is_success
from harness.sluice import broker_table, in_threads
from harness.waiting import BOUND_S, wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_with_nothing_to_do_exits_with_0(rig, number):
    """Also where a client never ends its side."""
    assert_success(rig.client().ask(request()))
    rig.sluice.signal(number)
    assert rig.sluice.wait() == 0


def test_a_stop_before_any_broker_was_reached_exits_with_0(lab):
    sluice = lab.sluice(lab.broker(start=False), until="alive")
    assert sluice.stop() == 0


def test_an_idle_client_is_ended_gently(rig):
    client, unheard = rig.client(), rig.client()
    assert_success(client.ask(request()))
    rig.sluice.terminate()
    assert client.read_until_eof() == b""
    assert unheard.read_until_eof() == b""
    assert rig.sluice.wait() == 0


def test_the_broker_sees_a_proper_goodbye(rig):
    assert_success(rig.client().ask(request()))
    assert rig.sluice.stop() == 0
    wait_until(lambda: len(re.findall(r"Client sluice-\S+ disconnected\.", rig.broker.log())) >= 4,
               "four DISCONNECTs in the broker's log")


def test_a_stop_under_load_answers_what_it_took_and_loses_nothing_it_acknowledged(lab):
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 30000})
    warm = threading.Barrier(21)

    def work(number):
        """Keeps 100 requests outstanding until the connection ends; returns the replies."""
        if number < 0:
            warm.wait(BOUND_S)
            sluice.terminate()
            return []
        client, sent, replies = sluice.client(), 0, []
        try:
            while True:
                while sent < len(replies) + 100:
                    client.send(request(device=1 + number, message=f"{number}/{sent}"))
                    sent += 1
                replies.append(client.read_reply())
                if len(replies) == 200:
                    warm.wait(BOUND_S)
        except (OSError, EndOfConnection):
            return replies + client.read_replies_until_eof()

    all_replies = in_threads(work, list(range(-1, 20)))[1:]
    assert sluice.wait() == 0
    acknowledged = set()
    for number, replies in enumerate(all_replies):
        assert len(replies) >= 200
        for at, reply in enumerate(replies):
            if is_success(reply):
                acknowledged.add(f"{number}/{at}".encode())
            else:
                assert_failure(reply, "shutting_down")
    subscriber.wait_for_payloads(acknowledged)
    assert set(subscriber.payloads()) == acknowledged


def test_requests_that_wait_for_a_frozen_broker_are_settled_before_the_end(lab):
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 30000})
    broker.freeze()
    client = sluice.client()
    client.send_raw(encode(request()) * 50)
    client.wait_until_read()
    sluice.terminate()
    wait_until(lambda: not net.accepts(sluice.port), "the listener closes")
    assert sluice.is_running() and not client.has_input()
    broker.thaw()
    assert [r["code"] for r in client.read_replies_until_eof()] == [1] * 50
    assert sluice.wait() == 0
    subscriber.wait_for(50)


def test_a_request_read_after_the_stop_began_is_answered_shutting_down(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 30000})
    broker.freeze()
    client = sluice.client()
    client.send(request())
    client.wait_until_read()
    sluice.terminate()
    wait_until(lambda: not net.accepts(sluice.port), "the listener closes")
    reply = client.ask(request(id="late"))
    assert_failure(reply, "shutting_down")
    assert reply["id"] == "late"
    client.send(request())
    client.wait_until_read()
    broker.thaw()
    replies = client.read_replies_until_eof()
    assert_success(replies[0])
    assert_failure(replies[1], "shutting_down")
    assert sluice.wait() == 0


def test_a_second_signal_exits_at_once_with_1(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 600000})
    broker.freeze()
    client = sluice.client()
    client.send(request(timeout_ms=60000))
    client.wait_until_read()
    sluice.terminate()
    wait_until(lambda: not net.accepts(sluice.port), "the listener closes")
    end_by_a_second_signal(sluice)


def end_by_a_second_signal(sluice):
    """Repeats the signal until it counts as a second one."""
    wait_until(lambda: not sluice.is_running() or sluice.terminate(), "the second signal ends it", pause_s=0.1)
    sluice.expected_exit = 1
    assert sluice.wait() == 1
    assert sluice.log().count("second signal: exiting now") == 1


def test_sigterm_and_sigint_at_once_are_one_stop(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 30000})
    broker.freeze()
    client = sluice.client()
    client.send(request(timeout_ms=60000))
    client.wait_until_read()
    with sluice.frozen():  # both are there when it goes on, however busy the machine is
        sluice.signal(signal.SIGTERM)
        sluice.signal(signal.SIGINT)
    wait_until(lambda: not net.accepts(sluice.port), "the listener closes")
    broker.thaw()
    assert_success(client.read_reply())
    client.read_until_eof()
    assert sluice.wait() == 0
    assert sluice.log().count("stop signal repeated within 1000 ms") == 1


def test_a_drain_that_runs_out_answers_the_rest_counts_it_and_exits_with_0(lab):
    broker = lab.broker(options={"max_inflight_messages": 2})
    sluice = lab.sluice(broker_table(broker, connections=1), server={"drain_timeout_ms": 700})
    broker.freeze()
    client = sluice.client()
    client.send_raw(encode(request(timeout_ms=60000)) * 7)
    client.wait_until_read()
    sluice.terminate()
    replies = client.read_replies_until_eof()
    assert [(r["error"], r["published"]) for r in replies] == (
        [("timeout", "unknown")] * 2 + [("broker_unavailable", "no")] * 5)
    assert sluice.wait() == 0
    warnings = [line for line in sluice.log().splitlines() if "warn" in line.lower() and re.search(r"\b7\b", line)]
    assert len(warnings) == 1, sluice.log()[-3000:]


def test_requests_behind_a_full_pipeline_are_told_when_the_drain_runs_out(lab):
    broker = lab.broker()
    # They are read once the drain has run out, in the 200 ms of the last replies: no more than a few turns' work.
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 300}, limits={"max_pipeline": 10})
    broker.freeze()
    client = sluice.client()
    for _ in range(150):  # in the program's own buffer, and in the socket's
        client.send(request(timeout_ms=60000, message="x" * 100))
    client.wait_until_paused()
    sluice.terminate()
    replies = client.read_replies_until_eof()
    assert [r["error"] for r in replies] == ["timeout"] * 10 + ["shutting_down"] * 140
    assert sluice.wait() == 0


def test_what_a_drain_answered_as_not_published_never_arrives(lab):
    broker = lab.broker(options={"max_inflight_messages": 2})
    subscriber = lab.subscriber(broker, qos=0)
    sluice = lab.sluice(broker_table(broker, connections=1), server={"drain_timeout_ms": 500})
    broker.freeze()
    client = sluice.client()
    client.send_raw(b"".join(encode(request(message=i, timeout_ms=60000)) for i in range(10)))
    client.wait_until_read()
    sluice.terminate()
    replies = client.read_replies_until_eof()
    assert sluice.wait() == 0
    broker.thaw()
    other = lab.sluice(broker)
    assert_success(other.client().ask(request(message="marker")))
    subscriber.wait_for_payload(b"marker")
    never = {str(i).encode() for i, reply in enumerate(replies) if reply["published"] == "no"}
    assert len(never) == 8 and not never & set(subscriber.payloads())


def test_after_the_drain_delay_listeners_close_and_clients_are_ended(lab):
    sluice = lab.sluice(lab.broker(), server={"drain_delay_ms": 300})
    client = sluice.client()
    assert_success(client.ask(request()))
    began = time.monotonic()
    sluice.terminate()
    assert client.read_until_eof() == b""
    assert time.monotonic() - began >= 0.3
    assert sluice.wait() == 0
    assert not net.accepts(sluice.port)


def test_during_the_drain_delay_everything_goes_on_but_readiness_until_a_second_signal(lab):
    sluice = lab.sluice(lab.broker(), server={"drain_delay_ms": 600000})
    before = sluice.client()
    sluice.terminate()
    sluice.wait_for_status("/readyz", 503)
    assert sluice.http("/healthz")[0] == 200
    assert_success(before.ask(request()))
    assert_success(sluice.client().ask(request()))
    end_by_a_second_signal(sluice)


def test_a_client_that_reads_nothing_cannot_hold_up_the_stop(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, server={"drain_timeout_ms": 1000})
    client = Client(("127.0.0.1", sluice.port), receive_buffer=4096)
    lab.keep(client)
    client.send_in_background(encode(request()) * 30000)
    assert_success(sluice.client().ask(request()))
    sluice.terminate()
    assert sluice.wait() == 0


def test_a_client_in_the_midst_of_a_request_cannot_hold_up_the_stop(rig):
    client = rig.client()
    client.send_raw(b'{"device_id":')
    client.wait_until_read()
    rig.sluice.terminate()
    client.read_until_eof()
    assert rig.sluice.wait() == 0


def test_the_port_can_be_listened_on_again_at_once(rig):
    """Restarts under load leave connections in TIME-WAIT; the next process must bind nevertheless."""
    client = rig.client()
    assert_success(client.ask(request()))
    rig.sluice.terminate()
    client.read_until_eof()
    assert rig.sluice.wait() == 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", rig.sluice.port))
    rig.sluice.start()
    assert_success(rig.client().ask(request()))
