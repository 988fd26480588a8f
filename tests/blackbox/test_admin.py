"""Health and readiness over HTTP."""
import contextlib
import socket

import pytest

from harness import net
from harness.client import request
from harness.replies import assert_success
from harness.sluice import broker_table, run
from harness.waiting import BOUND_S, wait_until


def test_healthy_and_ready_with_every_broker_connected(shared_rig):
    assert shared_rig.sluice.http("/healthz")[0] == 200
    assert shared_rig.sluice.http("/readyz")[0] == 200


def test_readiness_names_exactly_the_brokers_without_a_connection(lab):
    first, second, third = lab.broker(), lab.broker(start=False), lab.broker(start=False)
    sluice = lab.sluice(broker_table(first, "amber", 0, 10), broker_table(second, "beryl", 10, 20),
                        broker_table(third, "coral", 20, 30), until="alive")
    assert_success(sluice.client().ask(request(device=5)))
    status, body = sluice.http("/readyz")
    assert (status, "amber" in body, "beryl" in body, "coral" in body) == (503, False, True, True)


@pytest.mark.parametrize("path", ["/nothing", "/healthz/x", "/../etc/passwd", "/%00", "/" + "x" * 5000])
def test_an_unknown_path_is_not_found(shared_rig, path):
    assert shared_rig.sluice.http(path)[0] in (400, 404, 414)
    assert shared_rig.sluice.http("/healthz")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(shared_rig, method):
    assert shared_rig.sluice.http("/healthz", method)[0] in (400, 405)


def test_an_http_client_that_says_half_a_line_holds_up_nobody(rig):
    with socket.create_connection(("127.0.0.1", rig.sluice.admin_port), timeout=BOUND_S) as slow:
        slow.sendall(b"GET /heal")
        assert rig.sluice.http("/healthz")[0] == 200
        assert_success(rig.client().ask(request()))
        assert rig.sluice.stop() == 0


def test_connections_that_do_not_ask_hold_up_no_probe(lab):
    sluice = lab.sluice(lab.broker(), limits={"request_timeout_ms": 4000})
    with contextlib.ExitStack() as crowd:
        for _ in range(40):
            half = crowd.enter_context(socket.create_connection(("127.0.0.1", sluice.admin_port), timeout=BOUND_S))
            half.sendall(b"GET /heal")
        sluice.start_clock()
        assert sluice.http("/healthz")[0] == 200
        assert_success(sluice.client().ask(request(device=7)))
        sluice.assert_in_time("device 7 ")


def test_garbage_on_the_admin_port_harms_nobody(rig):
    with socket.create_connection(("127.0.0.1", rig.sluice.admin_port), timeout=BOUND_S) as other:
        other.sendall(b"\x00\xff{}\r\n\r\n" * 100)
        assert rig.sluice.http("/healthz")[0] == 200


def test_the_admin_interface_can_be_off(lab):
    sluice = lab.sluice(lab.broker(), admin=False, until=None)
    wait_until(lambda: net.accepts(sluice.port), "the listener")
    assert_success(sluice.client().ask(request()))


def test_an_address_that_another_sluice_has_is_named_and_nothing_is_started(lab):
    first = lab.sluice("mqtt://127.0.0.1:1", until=None)
    wait_until(lambda: first.http("/healthz")[0] == 200, "the first one's admin address")
    second = lab.sluice("mqtt://127.0.0.1:1", until="later")
    second.config["admin"]["listen"] = f"127.0.0.1:{first.admin_port}"
    second.write_config()
    status, output = run("serve", "-c", str(second.file))
    assert status == 1
    assert f"127.0.0.1:{first.admin_port}" in output
