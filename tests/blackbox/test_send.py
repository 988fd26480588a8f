"""`sluice send` against a running sluice."""
import json
import socket
import threading
import time

import pytest

from harness.names import SLOW, Names
from harness.sluice import broker_table, run, run_apart


def send(sluice, topic, *arguments, text=None):
    return run_apart("send", "--address", f"127.0.0.1:{sluice.port}", "--device", "1001", "--topic", topic,
                     *arguments, text=text)


def test_one_message_is_published_and_the_reply_printed(shared_rig, topic):
    result = send(shared_rig.sluice, topic, "open")
    assert result.returncode == 0
    assert json.loads(result.stdout)["code"] == 1
    assert shared_rig.subscriber.wait_for(1, topic)[0].payload == b"open"


@pytest.mark.parametrize("arguments, payload", [
    (("--json", '{"a": 1.10}'), b'{"a":1.10}'),
    (("--base64", "AAH/"), b"\x00\x01\xff"),
    (("--qos", "2", "--retain", "kept"), b"kept"),
])
def test_options_say_what_the_message_is(shared_rig, topic, arguments, payload):
    assert send(shared_rig.sluice, topic, *arguments).returncode == 0
    assert shared_rig.subscriber.wait_for(1, topic)[0].payload == payload


def test_the_id_is_echoed(shared_rig, topic):
    assert json.loads(send(shared_rig.sluice, topic, "--id", "mine", "x").stdout)["id"] == "mine"


def test_a_failure_is_printed_and_exits_with_1(shared_rig):
    result = send(shared_rig.sluice, "dev/+", "x")
    assert result.returncode == 1
    assert json.loads(result.stdout)["error"] == "bad_request"


def test_nobody_listening_exits_with_1_and_says_where(lab):
    result = run_apart("send", "--address", "127.0.0.1:1", "--device", "1", "--topic", "t", "x")
    assert result.returncode == 1
    assert "127.0.0.1:1" in result.stderr


def test_lines_of_standard_input_arrive_in_order(shared_rig, topic):
    lines = [str(i) for i in range(2000)]
    result = send(shared_rig.sluice, topic, "-", text="\n".join(lines) + "\n")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 2000
    assert "2000" in result.stderr
    shared_rig.subscriber.wait_for(2000, topic)
    assert shared_rig.subscriber.payloads(topic) == [line.encode() for line in lines]


def test_one_failed_line_makes_the_exit_status_1(lab):
    sluice = lab.sluice(broker_table(lab.broker()), limits={"max_request_bytes": 1000})
    result = send(sluice, "dev/1001/cmd", "-", text="short\n" + "x" * 2000 + "\nshort\n")
    assert result.returncode == 1
    codes = sorted(json.loads(line)["code"] for line in result.stdout.splitlines())
    assert codes == [1, 1, 2]


def test_wrong_usage_exits_with_2(lab):
    assert run_apart("send", "--device", "1", "x").returncode == 2
    assert run_apart("send", "--device", "1", "--topic", "t", "--id", "a", "-", text="").returncode == 2


class Server:
    """Takes one connection, and does with it what `script` says."""

    def __init__(self, script):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, args=(script,), daemon=True)
        self._thread.start()

    def _serve(self, script):
        try:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(30)
                script(connection)
        except OSError:
            pass

    def close(self):
        self._listener.close()
        self._thread.join()


def drip(connection):
    connection.sendall(b'{"code":1')
    while True:
        time.sleep(0.1)
        connection.sendall(b" ")


def silence(connection):
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("script", [silence, drip])
@pytest.mark.parametrize("message", ["x", "-"])
def test_the_timeout_ends_the_command_whatever_the_server_does(lab, script, message):
    server = lab.keep(Server(script))
    begun = time.monotonic()
    result = run_apart("send", "--address", server.address, "--device", "1", "--topic", "t", "--timeout-ms", "100",
                       message, text="a\nb\n")
    assert time.monotonic() - begun < 5, "more than the second that a late reply has, and what a busy machine takes"
    assert result.returncode == 1
    assert "outcome unknown" in result.stderr and "1100 ms" in result.stderr


def test_the_timeout_ends_a_name_lookup_that_hangs(lab):
    names = Names(lab.folder, slow=SLOW)
    begun = time.monotonic()
    status, output = run("send", "--address", "slow.test", "--device", "1", "--topic", "t", "--timeout-ms", "100", "x",
                         env=names.environment)
    assert time.monotonic() - begun < 5
    assert (status, output) == (
        1, "sluice send: cannot connect to slow.test: the name lookup has not ended in time\n")


@pytest.mark.slow
def test_lines_go_on_as_long_as_replies_come(lab):
    """All together take longer than the timeout and its second."""
    def answer(connection):
        lines = connection.makefile("rb")
        for number in (1, 2, 3):
            lines.readline()
            time.sleep(0.5)
            connection.sendall(b'{"code":1,"msg":"","id":%d}\n' % number)
        silence(connection)

    server = lab.keep(Server(answer))
    result = run_apart("send", "--address", server.address, "--device", "1", "--topic", "t", "--timeout-ms", "100",
                       "-", text="a\nb\nc\n")
    assert result.returncode == 0, result.stderr
