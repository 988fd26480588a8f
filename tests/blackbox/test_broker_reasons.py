"""Why a broker has no connection: one log line that says what it is, and the same reason in /readyz, in /status, in
the replies, and as a class in /metrics."""
import datetime
import json
import re
import socket
import threading

import pytest

from harness import net
from harness.certs import Authority
from harness.client import encode, request
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table
from harness.waiting import BOUND_S, wait_until

REASONS = {"name", "refused", "unreachable", "timeout", "tls", "closed", "protocol", "login", "unavailable", "other"}
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def localhost(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("localhost", "DNS:localhost,IP:127.0.0.1")


class ForeignServer:
    """A server of another protocol. It sends `greeting`, at once or after it has read something, and closes if told."""

    def __init__(self, greeting, first=True, closes=False):
        self._script = (greeting, first, closes)
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", net.free_port()))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        greeting, first, closes = self._script
        try:
            sock.settimeout(BOUND_S)
            if not first:
                sock.recv(65536)
            sock.sendall(greeting)
            if closes:
                sock.close()
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            sock.close()


def failures(sluice, name="main"):
    """The failed attempts, by reason."""
    pattern = rf'^sluice_connect_failures_total{{broker="{name}",reason="(\w+)"}} (\d+)'
    return {reason: int(count) for reason, count in re.findall(pattern, sluice.http("/metrics")[1], re.MULTILINE)}


def connects_in_vain(lab, url, reason, **table):
    """A sluice that has tried it several times and has counted nothing but this reason."""
    sluice = lab.sluice(broker_table(url, connections=2, reconnect_min_ms=20, reconnect_max_ms=50, **table),
                        until="alive", log={"level": "info"})
    wait_until(lambda: failures(sluice)[reason] >= 5, f"five attempts that fail: {reason}")
    assert {name for name, count in failures(sluice).items() if count} == {reason}
    return sluice


def assert_one_line(sluice, text):
    """Whatever the number of attempts; and `text` is the reason everywhere."""
    lines = [line for line in sluice.log().splitlines() if "broker main" in line]
    attempts = [line for line in lines if "trying again" in line]
    assert len(attempts) == 1 and f": {text}; trying again" in attempts[0], lines
    said = f"broker main has no connection: {text}"
    assert sluice.http("/readyz") == (503, f"not ready: {said}\n")
    assert sluice.broker_status()["last_error"] == text
    reply = sluice.client().ask(request(timeout_ms=20))
    assert_failure(reply, "broker_unavailable")
    assert reply["detail"] == said


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_closed_port_refuses_the_connection_over_tls_too(lab, scheme, host):
    sluice = connects_in_vain(lab, f"{scheme}://{host}:{net.free_port()}", "refused")
    assert_one_line(sluice, "Connection refused")


PLAIN, TLS = "mqtt", "mqtts"
NO_TLS = "the port does not speak TLS (is it mqtt:// without s?)"


@pytest.mark.parametrize("scheme, server, reason, text", [
    (PLAIN, (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, True), "protocol", "the port speaks HTTP, not MQTT"),
    (TLS, (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, True), "tls", "the port speaks HTTP, not TLS"),
    (PLAIN, (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",), "protocol", "the port speaks SSH, not MQTT"),
    (TLS, (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",), "tls", "the port speaks SSH, not TLS"),
    (PLAIN, (b"220 mail ESMTP\r\n",), "protocol", "the port speaks SMTP or FTP, not MQTT"),
    (TLS, (b"220 mail ESMTP\r\n",), "tls", "the port speaks SMTP or FTP, not TLS"),
    (PLAIN, (b"AMQP\0\0\x09\x01", False, True), "protocol", "the port speaks AMQP, not MQTT"),
    (PLAIN, (b"\x15\x03\x03\0\2\2\x46", False, True), "protocol", "the port speaks TLS (is it mqtts:// with s?)"),
    (PLAIN, (b"+OK \x1b[2J\r\n",), "protocol", 'the port does not speak MQTT; it sent "+OK "'),
    (TLS, (b"\x20\x02\0\1\0\0", False), "tls", NO_TLS),
    (TLS, (b"", False, True), "tls", "TLS handshake: the broker closed the connection (is it mqtt:// without s?)"),
], ids=["http", "http-tls", "ssh", "ssh-tls", "mail", "mail-tls", "amqp", "alert", "text", "mqtt-tls", "close-tls"])
def test_what_is_not_mqtt_is_called_by_its_name_once(lab, scheme, server, reason, text):
    foreign = lab.keep(ForeignServer(*server))
    assert_one_line(connects_in_vain(lab, f"{scheme}://127.0.0.1:{foreign.port}", reason), text)


def test_a_plain_connection_to_a_tls_port_is_asked_about_tls(lab, localhost):
    broker = lab.broker(tls=localhost)
    sluice = lab.sluice(broker_table(f"mqtt://127.0.0.1:{broker.port}", connections=1), until="alive")
    sluice.wait_for_log(r"cannot connect to \S+: the broker closed .* instead of .* expect TLS \(mqtts://\)")


def test_a_tls_connection_to_a_plain_port_is_asked_about_tls(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(f"mqtts://127.0.0.1:{broker.port}", connections=1), until="alive")
    sluice.wait_for_log(r"cannot connect to \S+: TLS handshake: .* \(is it mqtt:// without s\?\)")


@pytest.mark.parametrize("scheme, awaited", [(PLAIN, "CONNACK"), (TLS, "TLS handshake")])
def test_a_port_that_says_nothing_is_a_timeout_and_what_was_waited_for_is_named(lab, scheme, awaited):
    foreign = lab.keep(ForeignServer(b""))
    sluice = connects_in_vain(lab, f"{scheme}://127.0.0.1:{foreign.port}", "timeout", connect_timeout_ms=100)
    assert_one_line(sluice, f"no {awaited} within 100 ms")


def test_a_name_without_an_address_is_named(lab):
    sluice = lab.sluice(broker_table("mqtt://no-such-host.invalid:1883", connections=1), until="alive")
    wait_until(lambda: failures(sluice)["name"] >= 1, "a failed look-up")
    assert "has no connection: name no-such-host.invalid: " in sluice.http("/readyz")[1]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_refused_login_is_the_reason_everywhere_and_the_secret_nowhere(lab, protocol):
    broker = lab.broker(passwords={"shop": SECRET})
    sluice = lab.sluice(broker_table(broker, username="shop", password="wrong-" + SECRET, connections=2,
                                     protocol=protocol, reconnect_max_ms=50, queue_messages=1), until="alive")
    wait_until(lambda: failures(sluice)["login"] >= 2, "refusals")
    said = "broker main has no connection: not authorized"
    assert sluice.http("/readyz") == (503, f"not ready: {said}\n")
    client = sluice.client()
    assert client.ask(request(timeout_ms=20))["detail"] == said
    sluice.wait_for_log("down: no connection|refused by")
    wait_until(lambda: sluice.broker_status()["state"] == "dead", "the broker counts as dead")
    holder = sluice.client()
    holder.send_raw(encode(request()))  # takes the queue's only place
    wait_until(lambda: sluice.broker_status()["queued"] == 1, "the queue is full")
    full = client.ask(request())
    assert_failure(full, "broker_unavailable")
    assert full["detail"] == f"{said}; its queue is full"
    for text in (sluice.log(), sluice.http("/status")[1], sluice.http("/metrics")[1]):
        assert SECRET not in text


def instant(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_status_says_since_when_why_and_when_the_next_attempt_is(lab):
    before = datetime.datetime.now(datetime.timezone.utc)
    fake = lab.fake_broker()
    down = f"mqtt://127.0.0.1:{net.free_port()}"
    sluice = lab.sluice(broker_table(fake, "up", 0, 10, connections=1),
                        broker_table(down, "down", 10, 20, connections=2, reconnect_min_ms=600000,
                                     reconnect_max_ms=600000), until="alive")
    wait_until(lambda: sluice.broker_status("up")["state"] == "up", "the one that is up")
    up = sluice.broker_status("up")
    for part in (up, up["connections"][0]):
        assert (part["last_error"], part["down_since"], part["next_attempt"]) == (None, None, None)
    wait_until(lambda: failures(sluice, "down")["refused"] >= 2, "both have tried")
    gone = sluice.broker_status("down")
    second = datetime.timedelta(seconds=1)
    for part in (gone, *gone["connections"]):
        assert part["last_error"] == "Connection refused"
        assert before - second <= instant(part["down_since"]) <= datetime.datetime.now(datetime.timezone.utc) + second
        assert instant(part["next_attempt"]) > before
    assert set(failures(sluice, "up")) == set(failures(sluice, "down")) == REASONS
    assert sum(failures(sluice, "up").values()) == 0


def test_a_lost_connection_is_a_reason_until_it_is_up_again(lab):
    answers = [0]
    fake = lab.fake_broker(connack=lambda connect: answers[0])
    sluice = lab.sluice(broker_table(fake, connections=1))
    assert sluice.broker_status()["down_since"] is None
    answers[0] = 0x89
    fake.drop_connections()
    wait_until(lambda: failures(sluice)["unavailable"] >= 1, "a refusal: server busy")
    assert sluice.broker_status()["last_error"] == "server busy"
    assert "has no connection: server busy" in sluice.http("/readyz")[1]
    first = instant(sluice.broker_status()["down_since"])
    wait_until(lambda: failures(sluice)["unavailable"] >= 3, "more refusals")
    again = instant(sluice.broker_status()["down_since"])
    assert abs(again - first) <= datetime.timedelta(milliseconds=5)  # the rounding of two clocks
    answers[0] = 0
    sluice.wait_for_status("/readyz", 200)
    assert_success(sluice.client().ask(request()))
    status = sluice.broker_status()
    assert (status["down_since"], status["next_attempt"], status["last_error"]) == (None, None, "server busy")
    assert json.loads(sluice.http("/status")[1])["ready"]
