"""Nothing fails in silence: what fails is a counted line at level info, a broker that acknowledges nothing is not ready,
and a dead one may refuse at once."""
import re

import pytest

from harness.client import encode, request
from harness.fake_broker import withhold
from harness.metrics import scrape
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table
from harness.waiting import wait_until


def warnings(sluice):
    """Without their time."""
    return [line.partition(" warn  ")[2] for line in sluice.log().splitlines() if " warn  " in line]


# --- the log
def test_failures_at_level_info_are_one_counted_line_for_each_broker_and_result(lab):
    refusing, mute = lab.fake_broker(on_publish=lambda publish: 0x87), lab.fake_broker(on_publish=withhold)
    gone = lab.broker(start=False)
    sluice = lab.sluice(broker_table(refusing, "refusing", 0, 100), broker_table(mute, "mute", 100, 200),
                        broker_table(gone, "gone", 200, 300), until="alive", log={"level": "info"})
    wait_until(lambda: len(re.findall(r"all 4 connections up", sluice.log())) == 2, "two are up")
    client = sluice.client()
    for device, error, published in ((50, "rejected", "no"), (150, "timeout", "unknown"),
                                     (250, "broker_unavailable", "no"), (350, "no_route", "no")):
        client.send_raw(b"".join(encode(request(device=device, timeout_ms=50)) for _ in range(20)))
        for reply in client.read_replies(20):
            assert_failure(reply, error, published)
    sluice.wait_for_log(r"requests answered no_route")
    assert sluice.stop() == 0
    lines = [line for line in warnings(sluice) if " answered " in line]
    for about, error, why in (
            ("broker refusing: ", "rejected", "message rejected, reason code 135"),
            ("broker mute: ", "timeout", "not acknowledged in time"),
            ("broker gone: ", "broker_unavailable", "no connection: Connection refused"),
            ("", "no_route", "no broker serves device 350; nearest: broker gone, 201 to 299")):
        own = [line for line in lines if line.startswith(about) and f"answered {error}" in line]
        assert 1 <= len(own) <= 2, lines  # the second one: what was counted since then
        assert re.match(rf"{about}\d+ requests? answered {error} \(such as device \d+, topic \"dev/1001/cmd\": {why}",
                        own[0]), own
        assert sum(int(re.search(r"(\d+) ", line.removeprefix(about))[1]) for line in own) == 20, own
    assert len(lines) <= 8, lines


# --- readiness
def test_a_frozen_broker_is_not_ready_and_the_log_says_so_once(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(broker, ack_timeout_ms=120000), log={"level": "info"})
    sluice.wait_for_log("all 4 connections up")
    client = sluice.client()
    assert_success(client.ask(request()))
    with broker.frozen():
        client.send(request(device=7))
        sluice.wait_for_status("/readyz", 503)
        assert re.fullmatch(r"not ready: broker main: no acknowledgement for \d+ s\n", sluice.http("/readyz")[1])
        assert sluice.status()["ready"] is False
        assert sluice.broker_status()["silent_since"].endswith("Z")
        assert sluice.broker_status()["connections_up"] == 4
        assert scrape(sluice)("sluice_broker_silent", broker="main") == 1
        assert sluice.http("/healthz")[0] == 200
    assert_success(client.read_reply())
    sluice.wait_for_status("/readyz", 200)
    assert sluice.broker_status()["silent_since"] is None
    assert scrape(sluice)("sluice_broker_silent", broker="main") == 0
    assert len(re.findall(r"warn  broker main: not ready: no acknowledgement for \d+ s \(1 message unacknowledged\)",
                          sluice.log())) == 1
    assert len(re.findall(r"info  broker main: acknowledging again \(after \d+ s without", sluice.log())) == 1


# --- when_dead
def test_a_dead_broker_refuses_at_once_where_that_is_configured(lab):
    broker = lab.broker(start=False)
    sluice = lab.sluice(broker_table(broker, when_dead="refuse", dead_after_ms=500), until="alive")
    client = sluice.client()
    refused = client.ask(request())  # publish_timeout_ms is 60 s here
    assert_failure(refused, "broker_unavailable")
    assert refused["detail"].startswith("broker main has no connection")
    assert refused["detail"].endswith("; not queued (when_dead = refuse)")
    broker.start()
    sluice.wait_for_connections(4)
    assert_success(client.ask(request()))
    broker.kill()
    sluice.wait_for_log(r"connection lost \(0 of 4 up\)")
    # Those that come before it is dead wait; then all are answered.
    client.send_raw(b"".join(encode(request(device=1 + i)) for i in range(50)))
    for reply in client.read_replies(50):
        assert_failure(reply, "broker_unavailable")
    sluice.wait_for_log(r"down: no connection for 500 ms.*; requests are refused \(when_dead\)")


def test_when_dead_is_changed_by_a_reload(lab):
    broker = lab.broker(start=False)
    sluice = lab.sluice(broker_table(broker), until="alive")
    waiting, other = sluice.client(), sluice.client()
    waiting.send(request())
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "it is queued")
    sluice.config["broker"][0]["when_dead"] = "refuse"
    sluice.reload()
    assert_failure(waiting.read_reply(), "broker_unavailable")
    assert_failure(other.ask(request()), "broker_unavailable")
    sluice.config["broker"][0]["when_dead"] = "queue"
    sluice.reload()
    waiting.send(request())
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "it is queued again")
    broker.start()
    assert_success(waiting.read_reply())


# --- no_route
@pytest.mark.parametrize("device, nearest", [
    (0, "broker west, 1 to 999"),
    (1000, "broker west, 1 to 999, and broker east, 1001 to 1999"),
    (2000, "broker east, 1001 to 1999"),
    (2 ** 63 - 1, "broker east, 1001 to 1999")])
def test_no_route_names_the_nearest_ranges(lab, device, nearest):
    sluice = lab.sluice(broker_table("mqtt://127.0.0.1:1", "west", 0, 1000),
                        broker_table("mqtt://127.0.0.1:1", "east", 1000, 2000, client_id="east-{slot}"), until="alive")
    reply = sluice.client().ask(request(device=device))
    assert_failure(reply, "no_route")
    assert reply["detail"] == f"no broker serves device {device}; nearest: {nearest}"
