"""What an operator reads: where it goes, its form, and how little of it there is when things go wrong."""
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import subprocess

import pytest

from harness import net
from harness.client import encode, request
from harness.replies import assert_failure, assert_success
from harness.sluice import SANITIZER_REPORT, binary, broker_table, environment, run
from harness.waiting import BOUND_S, wait_until

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (trace|debug|info |warn |error) (.*)$")


def said(sluice, *levels):
    """The lines of these levels, without time and level; what is no line of the log is a failure."""
    found = [LINE.match(line) for line in sluice.log().splitlines()]
    assert all(found), sluice.log()
    return [match[2] for match in found if match[1].strip() in levels]


def for_operators(sluice):
    """What level info would have written; the tests run at debug to know what happened meanwhile."""
    return said(sluice, "info", "warn", "error")


# --- form
class OnTerminal:
    """sluice with a terminal for its error output."""

    def __init__(self, file, **env):
        self._terminal, end = pty.openpty()
        variables = {**environment(), "TERM": "xterm", **env}
        self._child = subprocess.Popen([binary(), "serve", "-c", str(file)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=end,
                                       env={name: value for name, value in variables.items() if value is not None})
        os.close(end)

    def output(self):
        """All of it: waits for the end."""
        try:
            text = b""
            while b"listening on" not in text:
                text += os.read(self._terminal, 4096)
            self._child.terminate()
            assert self._child.wait(BOUND_S) == 0
            try:
                while chunk := os.read(self._terminal, 4096):
                    text += chunk
            except OSError:  # the terminal has no other end any more
                pass
            assert not SANITIZER_REPORT.search(text.decode()), text
            return text.decode()
        finally:
            os.close(self._terminal)
            if self._child.poll() is None:
                self._child.kill()
                self._child.wait()


@pytest.mark.parametrize("env, log, coloured", [
    ({}, {}, True),
    ({"NO_COLOR": ""}, {}, True),  # counts as not set
    ({"NO_COLOR": "1"}, {}, False),
    ({"TERM": "dumb"}, {}, False),
    ({"TERM": None}, {}, False),
    ({}, {"format": "json"}, False)], ids=str)
def test_a_terminal_gets_colours_unless_it_does_not_want_them(lab, env, log, coloured):
    sluice = lab.sluice("mqtt://127.0.0.1:1", until="later", log={"level": "info", **log})
    text = OnTerminal(sluice.file, **env).output()
    assert ("\x1b[" in text) == coloured, text
    if coloured:
        assert "\x1b[32minfo \x1b[0m listening on" in text


def test_what_is_no_terminal_gets_no_colours(lab):
    sluice = lab.sluice(lab.broker(), env={"TERM": "xterm"})
    assert_success(sluice.client().ask(request()))
    assert "\x1b" not in sluice.log()


def test_a_log_in_json_is_json_with_the_names_as_members(lab):
    sluice = lab.sluice(lab.broker(), log={"format": "json"})
    assert_success(sluice.client().ask(request(topic='quo"te\\')))
    assert sluice.stop() == 0
    lines = [json.loads(line) for line in sluice.log().splitlines()]
    for line in lines:
        assert set(line) <= {"time", "level", "client", "broker", "slot", "message"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", line["time"])
        assert line["level"] in ("debug", "info", "warn", "error")
    answered = [line for line in lines if line["message"].startswith("device ")]
    assert len(answered) == 1 and re.fullmatch(r"127\.0\.0\.1:\d+ #1", answered[0]["client"])
    assert {line["slot"] for line in lines if "slot" in line} == {0, 1, 2, 3}
    assert {line["broker"] for line in lines if "broker" in line} == {"main"}


def test_a_log_in_json_is_json_whatever_bytes_there_are(lab, tmp_path):
    """The name of the configuration file is one that anybody can choose."""
    sluice = lab.sluice("mqtt://127.0.0.1:1", until="later", log={"format": "json", "level": "info"})
    odd = os.fsencode(tmp_path) + b"/\xff\xc3(\x1b\"\\\n.toml"
    shutil.copy(sluice.file, odd)
    child = subprocess.Popen([binary(), "serve", "-c", odd], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env=environment())
    try:
        lines = [json.loads(child.stderr.readline().decode("utf-8", "strict"))]
        assert lines[0]["message"].endswith("/\ufffd\ufffd(\x1b\"\\\n.toml")
        while not lines[-1]["message"].startswith("listening on"):
            lines.append(json.loads(child.stderr.readline()))
    finally:
        child.terminate()
        child.stderr.read()
        child.stderr.close()
        assert child.wait(BOUND_S) == 0


def test_a_debug_line_tells_of_each_request(lab):
    sluice = lab.sluice(lab.broker())
    client = sluice.client()
    assert_success(client.ask(request(device=4711, topic="dev/4711/cmd")))
    assert_failure(client.ask(request(device=-1, topic="a/b")), "no_route")
    assert_failure(client.ask({"device_id": 1}), "bad_request")
    assert sluice.stop() == 0
    lines = said(sluice, "debug")
    for form in (r"client 127\.0\.0\.1:\d+ #1: device 4711 topic dev/4711/cmd: ok after \d+ us",
                 r"client 127\.0\.0\.1:\d+ #1: device -1 topic a/b: no_route after \d+ us"):
        assert len([line for line in lines if re.fullmatch(form, line)]) == 1, sluice.log()
    assert len([line for line in for_operators(sluice) if re.fullmatch(r"client \S+ #1: bad_request: .+", line)]) == 1


def test_clients_brokers_and_slots_are_named_in_one_form_everywhere(lab):
    relay = lab.relay(lab.broker())
    sluice = lab.sluice(broker_table(relay, name="gizmo", dead_after_ms=200), server={"max_connections": 3})
    clients = [sluice.client() for _ in range(3)]
    assert_success(clients[0].ask(request()))
    assert_failure(clients[0].ask(request(qos=7)), "bad_request")
    sluice.client().read_until_eof()  # refused
    clients[1].send_raw(b"GET / HTTP/1.1\r\n\r\n")
    clients[1].read_until_eof()
    relay.refuse()
    relay.cut()
    sluice.wait_for_log("no connection for")
    relay.accept()
    sluice.wait_for_status("/readyz", 200)
    assert sluice.stop() == 0
    lines = said(sluice, "debug", "info", "warn", "error")
    about = [line for line in lines if re.search(r"(?i)client|broker|slot|gizmo|link", line.replace("sluice-gizmo", ""))]
    assert len(about) > 30
    without_a_name = re.compile(r"sluice .* starting with .*|max_connections .*new clients are refused|shutting down: .*")
    form = re.compile(r"client 127\.0\.0\.1:\d+ #\d+: [^#]+|broker gizmo( slot \d)?: .+")
    for line in about:
        assert form.fullmatch(line) or without_a_name.fullmatch(line), line


# --- level and file
def test_log_level_on_the_command_line_goes_before_the_configuration(lab):
    loud = lab.sluice(lab.broker(), log={"level": "error"}, arguments=["--log-level", "debug"])
    assert_success(loud.client().ask(request(device=4711)))
    loud.wait_for_log("device 4711 ")
    quiet = lab.sluice(lab.broker(), log={"level": "debug"}, arguments=["--log-level=error"])
    assert_success(quiet.client().ask(request()))
    assert quiet.stop() == 0
    assert quiet.log() == ""


def test_log_level_on_the_command_line_goes_before_a_reloaded_configuration_too(lab):
    sluice = lab.sluice(lab.broker(), log={"level": "error"}, arguments=["--log-level", "debug"])
    sluice.config["log"]["level"] = "warn"
    sluice.reload()
    assert_success(sluice.client().ask(request(device=4711)))
    sluice.wait_for_log("device 4711 ")


def test_a_log_level_that_is_none_is_refused_with_what_is_allowed():
    status, output = run("serve", "--log-level", "loud")
    assert status == 2
    assert '--log-level: expected one of trace, debug, info, warn, error, found "loud"' in output


def test_after_a_rotation_a_signal_opens_the_new_file(lab, tmp_path):
    file, moved = tmp_path / "sluice.log", tmp_path / "sluice.log.1"
    sluice = lab.sluice(lab.broker(), log={"file": str(file)})
    client = sluice.client()
    assert_success(client.ask(request(device=1)))
    shutil.move(file, moved)
    assert_success(client.ask(request(device=2)))
    sluice.signal(signal.SIGUSR1)
    wait_until(lambda: file.exists() and "reopened" in file.read_text(encoding="utf-8"), "a new log file")
    assert_success(client.ask(request(device=3)))
    old, new = moved.read_text(encoding="utf-8"), file.read_text(encoding="utf-8")
    assert "device 1 " in old and "device 2 " in old and "device 3 " not in old
    assert "device 3 " in new and "device 2 " not in new
    assert sluice.log() == ""


def test_a_new_file_that_cannot_be_opened_is_named_and_the_former_one_goes_on(lab, tmp_path):
    file, moved = tmp_path / "sluice.log", tmp_path / "sluice.log.1"
    sluice = lab.sluice(lab.broker(), log={"file": str(file)})
    shutil.move(file, moved)
    file.mkdir()
    sluice.signal(signal.SIGUSR1)
    wait_until(lambda: f"SIGUSR1: log file {file}: Is a directory; still writing to the former file"
               in moved.read_text(encoding="utf-8"), "a word about it")
    assert_success(sluice.client().ask(request(device=5)))
    assert "device 5 " in moved.read_text(encoding="utf-8")


# --- nobody reads
class Unread:
    """sluice with a small pipe for its error output, which nobody reads."""

    def __init__(self, sluice):
        self._reader, end = os.pipe()
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)
        self._sluice = sluice
        self._child = subprocess.Popen([binary(), "serve", "-c", str(sluice.file)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=end, env=environment())
        os.close(end)

    def wait_until_ready(self):
        wait_until(lambda: self._sluice.http("/readyz")[0] == 200, "it is ready")

    def lines_lost(self):
        return int(re.search(r"^sluice_log_lines_lost_total (\d+)", self._sluice.http("/metrics")[1], re.M)[1])

    def read(self):
        return os.read(self._reader, 65536).decode()

    def stop(self):
        self._child.terminate()
        return self._child.wait(BOUND_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        os.close(self._reader)


@pytest.mark.parametrize("file", ["", "/dev/stderr"])
def test_error_output_that_is_not_read_holds_up_nothing(lab, file):
    sluice = lab.sluice(lab.broker(), until="later", log={"file": file})
    with Unread(sluice) as unread:
        unread.wait_until_ready()
        client = sluice.client()
        for number in range(1, 301):
            assert_success(client.ask(request(device=number)))
        assert unread.lines_lost() > 100
        assert "listening on" in unread.read()
        assert_success(client.ask(request(device=301)))
        assert re.search(r"\d+ lines lost: .* could not be written\n", unread.read())
        assert unread.stop() == 0


# --- calm
def test_an_unreachable_broker_with_twenty_connections_is_one_line(lab):
    sluice = lab.sluice(broker_table(f"mqtt://127.0.0.1:{net.free_port()}", connections=20, reconnect_min_ms=10,
                                     reconnect_max_ms=50), until="alive")
    wait_until(lambda: sluice.log().count("trying again") >= 300, "300 attempts")
    lines = [line for line in for_operators(sluice) if line.startswith("broker")]
    assert len(lines) == 1 and "Connection refused; trying again" in lines[0], lines


def test_a_broker_that_goes_and_comes_is_at_most_two_lines_for_each_change(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(broker, connections=20, dead_after_ms=500))
    sluice.wait_for_log("all 20 connections up")
    before = len(for_operators(sluice))
    broker.kill()
    sluice.wait_for_log(r"no connection for 500 ms \(cannot connect to .*: Connection refused\)")
    gone = for_operators(sluice)[before:]
    assert len(gone) <= 3, gone  # no longer all of them, none of them, dead
    broker.start()
    sluice.wait_for_log("; 20 reconnected")
    back = for_operators(sluice)[before + len(gone):]
    assert len(back) == 2 and re.search(r"connected to \S+ after \d+ failed attempts?", back[0]), back


def flapping(lab, times):
    """sluice, whose broker has ended its three connections so many times."""
    relay = lab.relay(lab.broker())
    sluice = lab.sluice(broker_table(relay, connections=3, reconnect_min_ms=10, reconnect_max_ms=50))
    for number in range(1, times + 1):
        sluice.wait_for_connections(3)
        relay.cut()
        wait_until(lambda n=number: len(re.findall(r"slot \d: connection lost", sluice.log())) >= 3 * n, "they are lost")
    return sluice


def assert_told_of_until_it_is_too_much(sluice):
    lines = [line for line in for_operators(sluice) if line.startswith("broker")]
    assert len([line for line in lines if "another client probably" in line]) <= 1  # it looks like that
    assert len(lines) <= 8 + 3, lines


def test_a_flapping_broker_is_told_of_until_it_is_too_much_then_counted_until_the_end(lab):
    sluice = flapping(lab, times=10)
    assert sluice.stop() == 0
    summary = re.search(r"(\d+) more connection changes since then; \d of 3 up", sluice.log())
    assert int(summary[1]) >= 10
    assert_told_of_until_it_is_too_much(sluice)


@pytest.mark.slow
def test_a_flapping_broker_is_told_of_until_it_is_too_much_then_counted_until_it_is_quiet(lab):
    """10 s of quiet. Fast: the test above, and "a broker that flaps is logged eight times, then counted until it is
    quiet" in tests/unit/mqtt/pool_log_test.cc."""
    sluice = flapping(lab, times=25)
    summary = sluice.wait_for_log(r"(\d+) more connection changes since then; none for 10 s now; 3 of 3 up")
    assert int(summary[1]) >= 40
    assert_told_of_until_it_is_too_much(sluice)


def test_clients_that_come_and_go_are_no_news(lab):
    sluice = lab.sluice(lab.broker())
    sluice.wait_for_log("connections up")
    before = len(for_operators(sluice))
    for _ in range(50):
        client = sluice.client()
        assert_success(client.ask(request()))
        client.close()
        assert sluice.http("/healthz")[0] == 200
    wait_until(lambda: sluice.log().count(": closed: by the client") == 50, "all are gone")
    assert len(for_operators(sluice)) == before


def test_a_thousand_faulty_requests_are_a_line_and_their_number(lab):
    sluice = lab.sluice(lab.broker(), log={"level": "info"})
    clients = [sluice.client() for _ in range(2)]
    for client in clients:
        client.send_raw(encode({"device_id": 1}) * 500)
        client.read_replies(500)
    assert sluice.stop() == 0
    assert sluice.log().count("bad_request") == 1
    assert "999 more faulty requests since then" in sluice.log()


def test_clients_beyond_max_connections_are_a_line_and_their_number(lab):
    sluice = lab.sluice(lab.broker(), server={"max_connections": 2}, log={"level": "info"})
    kept = [sluice.client() for _ in range(2)]
    for client in kept:
        assert_success(client.ask(request()))
    for _ in range(30):
        sluice.client().read_until_eof()
    assert sluice.stop() == 0
    assert sluice.log().count("max_connections (2) reached") == 1
    assert "29 more clients refused since then" in sluice.log()
