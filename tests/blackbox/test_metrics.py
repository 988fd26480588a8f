"""/metrics: every series from the start, and each counts what the test made happen."""
import itertools
import subprocess

import pytest

from harness.client import encode, request
from harness.fake_broker import WITHHOLD, acknowledge, withhold
from harness.metrics import scrape
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table
from harness.waiting import wait_until

RESULTS = {"ok", "bad_request", "too_large", "unauthorized", "forbidden", "no_route", "overloaded",
           "broker_unavailable", "rejected", "timeout", "partial", "shutting_down"}
REASONS = {"queue", "pipeline", "output", "input"}
PER_BROKER = {"sluice_inflight": "gauge", "sluice_queued": "gauge", "sluice_queue_limit": "gauge",
              "sluice_broker_dead": "gauge", "sluice_broker_silent": "gauge", "sluice_socket_full_total": "counter",
              "sluice_reconnects_total": "counter", "sluice_redelivered_total": "counter",
              "sluice_session_taken_over_total": "counter"}
PROCESS = {"process_cpu_seconds_total": "counter", "process_start_time_seconds": "gauge",
           "process_resident_memory_bytes": "gauge", "process_virtual_memory_bytes": "gauge",
           "process_open_fds": "gauge", "process_max_fds": "gauge"}
OTHERS = {"sluice_requests_total": "counter", "sluice_publish_latency_seconds": "histogram",
          "sluice_clients": "gauge", "sluice_client_pauses_total": "counter",
          "sluice_broker_connections": "gauge", "sluice_queued_bytes": "gauge",
          "sluice_connect_failures_total": "counter", "sluice_config_reloads_total": "counter",
          "sluice_log_lines_lost_total": "counter", "sluice_requests_dropped_total": "counter",
          "sluice_build_info": "gauge"}


def assert_clean(metrics):
    """What promtool thinks of the text."""
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics.text, text=True, capture_output=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def withholding(lab, **keys):
    """A broker that acknowledges nothing until told, with one connection."""
    fake = lab.fake_broker(on_publish=withhold)
    return fake, broker_table(fake, connections=1, ack_timeout_ms=120000, **keys)


# --- from the start
def test_every_series_of_every_broker_is_there_from_the_start_at_0(lab):
    there, gone = lab.broker(), lab.broker(start=False)
    sluice = lab.sluice(broker_table(there, "there", 0, 10, queue_messages=77), broker_table(gone, "gone", 10, 20),
                        until="alive")
    metrics = scrape(sluice)
    families = {**PER_BROKER, **PROCESS, **OTHERS}
    assert metrics.type == families
    assert set(metrics.help) == set(families) and all(metrics.help.values())
    requests = metrics.of("sluice_requests_total")
    assert set(requests) == {frozenset({("broker", broker), ("result", result)})
                             for broker in ("", "there", "gone") for result in RESULTS}
    assert not any(requests.values())
    assert set(metrics.of("sluice_client_pauses_total")) == {frozenset({("reason", reason)}) for reason in REASONS}
    assert metrics.sum("sluice_client_pauses_total") == 0
    for broker in ("there", "gone"):
        for name in set(PER_BROKER) - {"sluice_queue_limit", "sluice_broker_dead"}:
            assert metrics(name, broker=broker) == 0, name
        buckets = metrics.of("sluice_publish_latency_seconds_bucket", broker=broker)
        assert len(buckets) >= 16 and not any(buckets.values())
        assert frozenset({("le", "+Inf")}) in buckets
        assert metrics("sluice_publish_latency_seconds_count", broker=broker) == 0
        assert metrics("sluice_publish_latency_seconds_sum", broker=broker) == 0
        states = metrics.of("sluice_broker_connections", broker=broker)
        assert set(states) == {frozenset({("state", state)}) for state in ("up", "connecting", "down")}
        assert sum(states.values()) == 4
    assert metrics("sluice_queue_limit", broker="there") == 77
    assert metrics("sluice_queued_bytes") == 0
    assert metrics("sluice_clients", state="reading") == 0 and metrics("sluice_clients", state="paused") == 0
    assert metrics("sluice_config_reloads_total", result="ok") == 0
    assert metrics("sluice_config_reloads_total", result="refused") == 0
    assert metrics("sluice_log_lines_lost_total") == 0
    assert metrics.sum("sluice_build_info") == 1
    assert_clean(metrics)


def test_the_process_tells_of_itself(rig):
    metrics = scrape(rig.sluice)
    assert abs(metrics("process_open_fds") - rig.sluice.open_descriptors()) <= 3
    assert metrics("process_max_fds") >= 1024
    assert 0.5 < metrics("process_resident_memory_bytes") / rig.sluice.resident_bytes() < 2
    assert metrics("process_virtual_memory_bytes") > metrics("process_resident_memory_bytes")
    assert metrics("process_cpu_seconds_total") > 0
    with open("/proc/uptime", encoding="ascii") as uptime, open("/proc/stat", encoding="ascii") as stat:
        booted = next(int(line.split()[1]) for line in stat if line.startswith("btime"))
        assert booted <= metrics("process_start_time_seconds") <= booted + float(uptime.read().split()[0]) + 1


# --- results
def test_every_reply_counts_once_by_broker_and_result(lab):
    codes = {b"good": None, b"refused": 0x87, b"slow": WITHHOLD}
    fake = lab.fake_broker(on_publish=lambda publish: codes[publish.payload])
    sluice = lab.sluice(broker_table(fake, "real", 0, 100), broker_table(lab.broker(start=False), "gone", 100, 200),
                        until="alive", server={"max_connections": 3}, limits={"max_request_bytes": 1000})
    wait_until(lambda: scrape(sluice)("sluice_broker_connections", broker="real", state="up") == 4, "all are up")
    client = sluice.client()
    replies = []

    def ask(count, *values):
        for value, _ in itertools.product(values, range(count)):
            replies.append(client.ask(value))

    ask(5, request(device=1, message="good"))
    ask(4, request(device=1, message="refused"))
    ask(3, request(device=1, message="slow", timeout_ms=30))
    ask(2, request(device=150, timeout_ms=30))
    ask(6, request(device=100))
    ask(7, {"device_id": 1}, b"{]}", request(device=1, topic="a/#"))
    ask(1, request(device=1, message="x" * 2000))
    ask(2, {"token": "who cares"})
    metrics = scrape(sluice)
    assert metrics.results("real") == {"ok": 5, "rejected": 4, "timeout": 3}
    assert metrics.results("gone") == {"broker_unavailable": 2}
    assert metrics.results("") == {"ok": 2, "no_route": 6, "bad_request": 21, "too_large": 1}
    assert metrics.sum("sluice_requests_total") == len(replies)
    assert metrics("sluice_publish_latency_seconds_count", broker="real") == 12
    assert metrics("sluice_publish_latency_seconds_count", broker="gone") == 2

    others = [sluice.client() for _ in range(3)]
    assert_failure(others[-1].read_reply(), "overloaded")
    assert scrape(sluice).results("")["overloaded"] == 1
    fake.acknowledge_all()  # after their time-out: settled is settled
    assert_success(client.ask(request(device=1, message="good")))
    assert scrape(sluice).results("real") == {"ok": 6, "rejected": 4, "timeout": 3}
    assert_clean(scrape(sluice))


def test_what_is_read_after_the_stop_began_is_counted(lab):
    fake, table = withholding(lab)
    sluice = lab.sluice(table)
    client = sluice.client()
    client.send(request(message="held"))
    fake.wait_for_publishes(1)
    sluice.terminate()
    sluice.wait_for_log("listeners closed")
    client.send(request(message="late", id="late"))
    assert_failure(client.read_reply(), "shutting_down")
    assert scrape(sluice).results("") == {"shutting_down": 1}
    fake.acknowledge_all()
    assert_success(client.read_reply())
    assert sluice.wait() == 0


def test_a_fan_out_counts_once_for_each_broker_with_its_own_result(lab):
    good = lab.broker()
    bad = lab.fake_broker(on_publish=lambda publish: 0x97)
    sluice = lab.sluice(broker_table(good, "good"), broker_table(bad, "bad", 0, 100))
    client = sluice.client()
    for _ in range(3):
        assert_failure(client.ask(request(device=50)), "partial", "some")
    assert_success(client.ask(request(device=500)))
    metrics = scrape(sluice)
    assert metrics.results("good") == {"ok": 4}
    assert metrics.results("bad") == {"rejected": 3}
    assert metrics.results("") == {}


# --- latency
def test_latency_runs_from_the_request_read_to_its_acknowledgement(lab):
    fake, table = withholding(lab)
    sluice = lab.sluice(table)
    client = sluice.client()
    client.send(request())
    fake.wait_for_publishes(1)
    for _ in range(60):  # some time, whatever the machine: the same clock runs in both processes
        assert sluice.http("/healthz")[0] == 200
    assert scrape(sluice)("sluice_publish_latency_seconds_count", broker="main") == 0
    with open("/proc/uptime", encoding="ascii") as text:
        held_until = float(text.read().split()[0])
    wait_until(lambda: float(open("/proc/uptime", encoding="ascii").read().split()[0]) > held_until + 0.3, "0.3 s")
    fake.acknowledge_all()
    assert_success(client.read_reply())
    metrics = scrape(sluice)
    assert metrics("sluice_publish_latency_seconds_count", broker="main") == 1
    assert 0.3 <= metrics("sluice_publish_latency_seconds_sum", broker="main") < 60
    buckets = {float(dict(have)["le"]): value
               for have, value in metrics.of("sluice_publish_latency_seconds_bucket", broker="main").items()}
    assert buckets[0.25] == 0 and buckets[60] == 1 and buckets[float("inf")] == 1
    assert sorted(buckets.values()) == [buckets[bound] for bound in sorted(buckets)]


# --- pressure
def test_in_flight_queued_and_paused_are_what_they_are_and_go_back_to_0(lab):
    fake, table = withholding(lab, max_inflight=2, queue_messages=3)
    sluice = lab.sluice(table)
    client, other = sluice.client(), sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i, message="x" * 100)) for i in range(8)))
    wait_until(lambda: scrape(sluice)("sluice_clients", state="paused") == 1, "the client is paused")
    metrics = scrape(sluice)
    assert metrics("sluice_inflight", broker="main") == 2
    assert metrics("sluice_queued", broker="main") == 3
    assert 300 < metrics("sluice_queued_bytes") < 3000
    assert metrics("sluice_clients", state="reading") == 1
    assert metrics.of("sluice_client_pauses_total", reason="queue") == {frozenset(): 1}
    assert metrics.sum("sluice_client_pauses_total") == 1
    fake.recover()
    assert_successes(client, 8)
    assert_success(other.ask(request()))
    metrics = scrape(sluice)
    for name in ("sluice_inflight", "sluice_queued"):
        assert metrics(name, broker="main") == 0
    assert metrics("sluice_queued_bytes") == 0
    assert metrics("sluice_clients", state="paused") == 0


def paused_for(sluice, reason):
    wait_until(lambda: scrape(sluice)("sluice_client_pauses_total", reason=reason) >= 1, f"a pause for {reason}")
    metrics = scrape(sluice)
    assert metrics("sluice_clients", state="paused") >= 1
    return metrics


def test_a_full_pipeline_is_a_reason(lab):
    fake, table = withholding(lab)
    sluice = lab.sluice(table, limits={"max_pipeline": 2})
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i)) for i in range(5)))
    metrics = paused_for(sluice, "pipeline")
    assert metrics.sum("sluice_client_pauses_total") == metrics("sluice_client_pauses_total", reason="pipeline")
    fake.recover()
    assert_successes(client, 5)


def test_unread_output_is_a_reason(rig, lab):
    sluice = lab.sluice(rig.broker, limits={"output_bytes": 16384}, server={"instance": "other"})
    client = sluice.client(receive_buffer=4096)
    client.send_in_background(b"".join(encode({"id": f"{i} ".ljust(250, "x")}) for i in range(20000)))
    paused_for(sluice, "output")
    for number, reply in enumerate(client.read_replies(20000)):
        assert_failure(reply, "bad_request")
        assert reply["id"].split()[0] == str(number)
    wait_until(lambda: scrape(sluice)("sluice_clients", state="paused") == 0, "it is read from again")


def test_input_bytes_in_use_are_a_reason(lab):
    fake, table = withholding(lab, max_inflight=1, queue_messages=1)
    sluice = lab.sluice(table, limits={"input_bytes": 50000, "max_request_bytes": 50000})
    clients = [sluice.client() for _ in range(3)]
    clients[0].send_raw(encode(request(device=1)) + encode(request(device=2)))
    fake.wait_for_publishes(1)
    wait_until(lambda: scrape(sluice)("sluice_queued", broker="main") == 1, "the queue is full")
    for number, client in enumerate(clients[1:]):  # parked
        client.send_raw(encode(request(device=10 + number, message="x" * 30000)))
    wait_until(lambda: scrape(sluice)("sluice_client_pauses_total", reason="queue") == 2, "two are parked")
    last = encode(request(device=3, message="x" * 30000))
    clients[0].send_raw(last[:25000])
    paused_for(sluice, "input")
    fake.recover()
    clients[0].send_raw(last[25000:])
    for client, count in zip(clients, (3, 1, 1)):
        assert_successes(client, count)


def test_a_socket_that_takes_no_more_is_counted(lab):
    relay = lab.relay(lab.broker())
    sluice = lab.sluice(broker_table(relay, connections=1, ack_timeout_ms=120000, keepalive_s=600,
                                     inflight_bytes=67108864))
    relay.stall()
    client = sluice.client()
    client.send_in_background(b"".join(
        encode(request(device=1 + i % 50, message="x" * 500000, timeout_ms=60000)) for i in range(40)))
    wait_until(lambda: scrape(sluice)("sluice_socket_full_total", broker="main") > 0, "the socket is full")
    relay.resume()
    assert_successes(client, 40)


# --- connections
def test_reconnects_and_what_is_sent_again_are_counted(lab):
    fake, table = withholding(lab)
    sluice = lab.sluice(table)
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + i, message=i)) for i in range(3)))
    fake.wait_for_publishes(3)
    fake.on_publish = acknowledge
    fake.drop_connections()
    assert_successes(client, 3)
    metrics = scrape(sluice)
    assert metrics("sluice_reconnects_total", broker="main") == 1
    assert metrics("sluice_redelivered_total", broker="main") == 3
    assert metrics("sluice_broker_connections", broker="main", state="up") == 1
    assert metrics.results("main") == {"ok": 3}


def test_the_states_of_connections_follow_the_broker(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(broker, dead_after_ms=100, reconnect_max_ms=100))
    sluice.wait_for_connections(4)
    assert scrape(sluice)("sluice_broker_connections", broker="main", state="up") == 4
    broker.kill()
    wait_until(lambda: scrape(sluice)("sluice_broker_dead", broker="main") == 1, "the broker is dead")
    metrics = scrape(sluice)
    assert metrics("sluice_broker_connections", broker="main", state="up") == 0
    assert metrics.sum("sluice_broker_connections", broker="main") == 4
    broker.start()
    wait_until(lambda: scrape(sluice)("sluice_broker_connections", broker="main", state="up") == 4, "all are up")
    metrics = scrape(sluice)
    assert metrics("sluice_broker_dead", broker="main") == 0
    assert metrics("sluice_reconnects_total", broker="main") == 4


def test_a_connection_in_its_connect_is_connecting(lab):
    relay = lab.relay(lab.broker())
    relay.stall()
    sluice = lab.sluice(broker_table(relay, connections=1), until="alive")
    wait_until(lambda: scrape(sluice)("sluice_broker_connections", broker="main", state="connecting") == 1,
               "it waits for its CONNACK")
    relay.resume()


def test_a_rival_with_the_same_identifiers_is_said_once_and_counted(lab):
    broker = lab.broker()
    first = lab.sluice(broker_table(broker, connections=2, client_id="same-{slot}"))
    lab.sluice(broker_table(broker, connections=1, client_id="same-{slot}"), until="alive")
    wait_until(lambda: scrape(first)("sluice_session_taken_over_total", broker="main") > 0, "a take-over")
    first.wait_for_log("warn.*another client probably uses client ID same-0")
    assert first.log().count("another client probably") == 1


@pytest.mark.parametrize("path", ["/metrics", "/status"])
def test_a_page_asked_for_without_pause_is_never_older_than_a_moment(rig, path):
    def counted():
        text = rig.sluice.http(path)[1]
        return 'broker="main",result="ok"} 7' in text or '"requests":{"ok":7,' in text
    for _ in range(100):
        assert rig.sluice.http(path)[0] == 200
    client = rig.client()
    for _ in range(7):
        assert_success(client.ask(request()))
    wait_until(counted, "the page tells of the new requests")
