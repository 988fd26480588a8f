"""/status: one JSON object, each of whose members tells what the test made happen."""
import json

from harness.client import encode, request
from harness.fake_broker import WITHHOLD, withhold
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table, run
from harness.waiting import wait_until


def status_of(sluice):
    status, text = sluice.http("/status")
    assert status == 200, (status, text)
    return json.loads(text)


def test_every_member_tells_what_happened(lab):
    fake = lab.fake_broker(on_publish=lambda publish: WITHHOLD if publish.payload.startswith(b"held") else None,
                           receive_maximum=2)
    gone = lab.broker(start=False)
    sluice = lab.sluice(
        broker_table(fake, "real", 0, 100, connections=1, max_inflight=7, queue_messages=3, queue_bytes=99999,
                     ack_timeout_ms=120000, client_id="me-{slot}"),
        broker_table(gone, "gone", 100, 200, connections=2, reconnect_min_ms=10000, reconnect_max_ms=10000),
        until="alive", server={"max_connections": 3})
    wait_until(lambda: status_of(sluice)["brokers"][0]["state"] == "up", "the one that is up")
    client = sluice.client()
    for _ in range(5):
        assert_success(client.ask(request(device=1)))
    assert_failure(client.ask(request(device=150, timeout_ms=30)), "broker_unavailable")
    assert_failure(client.ask(request(device=200)), "no_route")
    assert_failure(client.ask(b"{]}"), "bad_request")
    flood = sluice.client()
    flood.send_raw(b"".join(encode(request(device=1 + i, message=f"held {i}")) for i in range(8)))
    wait_until(lambda: status_of(sluice)["clients"]["paused"] == 1, "the flood is paused")
    idle = sluice.client()
    assert_failure(sluice.client().read_reply(), "overloaded")
    wait_until(lambda: status_of(sluice)["brokers"][1]["state"] == "dead", "the other one is dead")

    status = status_of(sluice)
    assert set(status) == {"version", "uptime_s", "stopping", "ready", "requests", "clients", "brokers",
                           "config_reloads"}
    assert f"sluice {status['version']}" in run("--version")[1]
    assert 0 < status["uptime_s"] < 300
    assert (status["stopping"], status["ready"]) == (False, False)
    assert status["config_reloads"] == {"ok": 0, "refused": 0}
    assert {name: count for name, count in status["requests"].items() if count} == {
        "bad_request": 1, "no_route": 1, "overloaded": 1}

    clients = status["clients"]
    longest = clients.pop("paused_longest")
    assert clients == {"connected": 3, "max_connections": 3, "reading": 2, "paused": 1, "half_closed": 0,
                       "accepted": 3, "refused": 1, "dropped": 0,
                       "paused_by_reason": {"queue": 1, "pipeline": 0, "output": 0, "input": 0},
                       "pauses": {"queue": 1, "pipeline": 0, "output": 0, "input": 0}}
    assert len(longest) == 1
    host, port = flood.socket.getsockname()
    assert longest[0]["peer"] == f"{host}:{port}"
    assert (longest[0]["reasons"], longest[0]["broker"]) == (["queue"], "real")
    assert 0 <= longest[0]["paused_s"] <= status["uptime_s"]

    real, other = status["brokers"]
    no_outage = {"down_since": None, "last_error": None, "next_attempt": None}
    assert real.pop("connections") == [
        {"slot": 0, "state": "Ready", **no_outage, "client_id": "me-0", "in_flight": 2, "window": 2}]
    latency, requests = real.pop("latency"), real.pop("requests")
    assert {name: count for name, count in requests.items() if count} == {"ok": 5}
    queued_bytes = real.pop("queued_bytes")
    assert 100 < queued_bytes < 3000
    assert real == {
        "name": "real", "host": "127.0.0.1", "port": fake.port, "tls": False, "min_dev_no": 0, "max_dev_no": 100,
        "state": "up", **no_outage, "silent_since": None, "connections_up": 1, "in_flight": 2, "queued": 3, "queue_messages": 3,
        "queue_bytes": 99999,
        "waiting_clients": 1, "reconnects": 0, "redelivered": 0, "socket_full": 0, "taken_over": 0}
    assert latency["count"] == sum(latency["counts"]) == 5
    assert len(latency["counts"]) == len(latency["bounds_s"]) + 1
    assert latency["bounds_s"] == sorted(latency["bounds_s"])
    assert 0 < latency["p50_s"] <= latency["p95_s"] <= latency["p99_s"] <= 60
    assert 0 < latency["sum_s"] < 60
    assert (other["state"], other["connections_up"], other["requests"]["broker_unavailable"]) == ("dead", 0, 1)
    assert [connection["slot"] for connection in other["connections"]] == [0, 1]
    assert all(connection["state"] in ("Backoff", "Connecting") for connection in other["connections"])

    fake.recover()
    assert_successes(flood, 8)
    status = status_of(sluice)
    assert (status["clients"]["paused"], status["clients"]["paused_longest"]) == (0, [])
    assert (status["brokers"][0]["queued"], status["brokers"][0]["waiting_clients"]) == (0, 0)
    assert not idle.has_input()


def test_at_most_twenty_paused_clients_are_named_and_all_are_counted(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(broker_table(fake, connections=1, ack_timeout_ms=120000), limits={"max_pipeline": 1})
    clients = []
    for number in range(25):
        clients.append(sluice.client())
        clients[-1].send_raw(encode(request(device=1 + number)) * 2)
        if number == 0:
            wait_until(lambda: status_of(sluice)["clients"]["paused"] == 1, "the first is paused")
    wait_until(lambda: status_of(sluice)["clients"]["paused"] == 25, "all are paused")
    shown = status_of(sluice)["clients"]
    assert shown["paused_by_reason"]["pipeline"] == 25
    assert len(shown["paused_longest"]) == 20
    assert shown["paused_longest"][0]["peer"].endswith(f":{clients[0].socket.getsockname()[1]}")
    times = [paused["paused_s"] for paused in shown["paused_longest"]]
    assert times == sorted(times, reverse=True)
    assert all(paused["reasons"] == ["pipeline"] and paused["broker"] is None for paused in shown["paused_longest"])
    fake.recover()
    for client in clients:
        assert [reply["code"] for reply in client.read_replies(2)] == [1, 1]


def test_while_stopping_it_says_so(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(fake)
    assert (status_of(sluice)["stopping"], status_of(sluice)["ready"]) == (False, True)
    client = sluice.client()
    client.send(request())
    fake.wait_for_publishes(1)
    sluice.terminate()
    wait_until(lambda: status_of(sluice)["stopping"], "it says that it stops")
    assert not status_of(sluice)["ready"]
    fake.acknowledge_all()
    assert_success(client.read_reply())
    assert client.read_until_eof() == b""
    assert sluice.wait() == 0
