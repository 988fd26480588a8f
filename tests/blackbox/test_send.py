"""`sluice send` against a running sluice."""
import json

import pytest

from harness.sluice import broker_table, run_apart


def send(sluice, *arguments, text=None):
    return run_apart("send", "--address", f"127.0.0.1:{sluice.port}", "--device", "1001", "--topic", "dev/1001/cmd",
                     *arguments, text=text)


def test_one_message_is_published_and_the_reply_printed(rig):
    result = send(rig.sluice, "open")
    assert result.returncode == 0
    assert json.loads(result.stdout)["code"] == 1
    assert rig.subscriber.wait_for(1)[0].payload == b"open"


@pytest.mark.parametrize("arguments, payload", [
    (("--json", '{"a": 1.10}'), b'{"a":1.10}'),
    (("--base64", "AAH/"), b"\x00\x01\xff"),
    (("--qos", "2", "--retain", "kept"), b"kept"),
])
def test_options_say_what_the_message_is(rig, arguments, payload):
    assert send(rig.sluice, *arguments).returncode == 0
    assert rig.subscriber.wait_for(1)[0].payload == payload


def test_the_id_is_echoed(rig):
    assert json.loads(send(rig.sluice, "--id", "mine", "x").stdout)["id"] == "mine"


def test_a_failure_is_printed_and_exits_with_1(rig):
    result = run_apart("send", "--address", f"127.0.0.1:{rig.sluice.port}", "--device", "1001", "--topic", "dev/+",
                       "x")
    assert result.returncode == 1
    assert json.loads(result.stdout)["error"] == "bad_request"


def test_nobody_listening_exits_with_1_and_says_where(lab):
    result = run_apart("send", "--address", "127.0.0.1:1", "--device", "1", "--topic", "t", "x")
    assert result.returncode == 1
    assert "127.0.0.1:1" in result.stderr


def test_lines_of_standard_input_arrive_in_order(rig):
    lines = [str(i) for i in range(2000)]
    result = send(rig.sluice, "-", text="\n".join(lines) + "\n")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 2000
    assert "2000" in result.stderr
    rig.subscriber.wait_for(2000)
    assert rig.subscriber.payloads() == [line.encode() for line in lines]


def test_one_failed_line_makes_the_exit_status_1(lab):
    sluice = lab.sluice(broker_table(lab.broker()), limits={"max_request_bytes": 1000})
    result = send(sluice, "-", text="short\n" + "x" * 2000 + "\nshort\n")
    assert result.returncode == 1
    codes = sorted(json.loads(line)["code"] for line in result.stdout.splitlines())
    assert codes == [1, 1, 2]


def test_wrong_usage_exits_with_2(lab):
    assert run_apart("send", "--device", "1", "x").returncode == 2
    assert run_apart("send", "--device", "1", "--topic", "t", "--id", "a", "-", text="").returncode == 2
