"""`sluice send` against a running sluice."""
import json

import pytest

from harness.sluice import broker_table, run_apart


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
