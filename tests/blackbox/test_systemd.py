"""What systemd is told, by a socket of the test in its place."""
import signal
import socket

import pytest

from harness import net
from harness.client import request
from harness.replies import assert_success
from harness.sluice import broker_table, run, toml
from harness.waiting import BOUND_S


class Systemd:
    def __init__(self, address):
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(BOUND_S)
        self._socket.bind(address)
        name = address.replace("\0", "@") if isinstance(address, str) else address.decode()
        self.env = {"NOTIFY_SOCKET": name}

    def next(self):
        """What is said next, as a dict."""
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())

    def fill(self):
        """Until it takes no more; returns how many datagrams fit."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            count = 0
            try:
                while True:
                    other.sendto(b"FILLED=1", self._address)
                    count += 1
            except BlockingIOError:
                return count

    def is_silent(self):
        self._socket.setblocking(False)
        try:
            return not self._socket.recv(4096)
        except BlockingIOError:
            return True

    def close(self):
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def systemd(request, lab, tmp_path):
    address = str(tmp_path / "notify") if request.param == "file" else f"\0sluice-test-{net.free_port()}"
    return lab.keep(Systemd(address))


def test_ready_then_signs_of_life_then_stopping(lab, systemd):
    """No broker is needed for it: sluice takes requests without, and says so in /readyz."""
    sluice = lab.sluice("mqtt://127.0.0.1:1", until=None, env={**systemd.env, "WATCHDOG_USEC": "200000"})
    ready = systemd.next()
    assert ready["READY"] == "1" and ready["STATUS"]
    for port in (sluice.port, sluice.admin_port):
        socket.create_connection(("127.0.0.1", port), timeout=BOUND_S).close()
    for _ in range(5):
        assert systemd.next() == {"WATCHDOG": "1"}
    sluice.terminate()
    heard = systemd.next()
    while heard == {"WATCHDOG": "1"}:
        heard = systemd.next()
    assert heard["STOPPING"] == "1"
    assert sluice.wait() == 0


def test_without_a_watchdog_there_are_no_signs_of_life(lab, systemd):
    sluice = lab.sluice(lab.broker(), env=systemd.env)
    assert systemd.next()["READY"] == "1"
    client = sluice.client()
    assert_success(client.ask(request()))
    client.close()
    sluice.signal(signal.SIGTERM)
    assert systemd.next()["STOPPING"] == "1"
    assert sluice.wait() == 0


def test_a_start_that_cannot_be_is_never_ready(systemd, tmp_path, taken_port):
    file = tmp_path / "test.toml"
    file.write_text(toml({"server": {"listen": [f"tcp://127.0.0.1:{taken_port}"]}, "admin": {"listen": ""},
                          "broker": [broker_table("mqtt://127.0.0.1:1")]}), encoding="utf-8")
    assert run("serve", "-c", str(file), env=systemd.env)[0] == 1
    assert systemd.is_silent()


def test_a_reload_is_told_with_its_end_whatever_came_of_it(lab, systemd):
    sluice = lab.sluice("mqtt://127.0.0.1:1", until=None, env=systemd.env)
    assert systemd.next()["READY"] == "1"
    for refused in (False, True):
        text = "[server]\nlisten = 1\n" if refused else None
        sluice.reload(refused=refused, text=text)
        begun, over = systemd.next(), systemd.next()
        assert begun["RELOADING"] == "1" and int(begun["MONOTONIC_USEC"]) > 0
        assert over["READY"] == "1" and ("rejected" in over["STATUS"]) == refused


def test_a_full_socket_holds_up_nothing_and_gets_the_notifications_when_it_has_room(lab, systemd):
    filled = systemd.fill()
    sluice = lab.sluice(lab.broker(), env={**systemd.env, "WATCHDOG_USEC": "2000"})
    assert_success(sluice.client().ask(request()))
    sluice.reload()
    assert_success(sluice.client().ask(request()))
    assert [systemd.next() for _ in range(filled)] == [{"FILLED": "1"}] * filled
    heard = [systemd.next() for _ in range(3)]
    assert ["READY" in one for one in heard] == [True, False, True] and heard[1]["RELOADING"] == "1"
    systemd.fill()
    sluice.terminate()
    assert sluice.wait() == 0
