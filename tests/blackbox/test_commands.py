"""The command line: check and its faults, usage, exit statuses, and a start that cannot be."""
import re
from pathlib import Path

import pytest

from harness import net
from harness.client import request
from harness.replies import assert_success
from harness.sluice import broker_table, run, run_apart, toml

ROOT = Path(__file__).resolve().parents[2]
BROKER = {"name": "a", "url": "mqtt://127.0.0.1:1883", "min_dev_no": 0, "max_dev_no": 10}


def check(folder, text, env=None):
    """Runs `check` on this text; returns (exit status, faults and warnings as (line, column, what))."""
    file = folder / "test.toml"
    file.write_text(text, encoding="utf-8")
    status, output = run("check", "-c", str(file), env=env)
    pattern = re.compile(rf"^{re.escape(str(file))}:(\d+):(\d+): (.+)$", re.MULTILINE)
    return status, [(int(m[1]), int(m[2]), m[3]) for m in pattern.finditer(output)]


def with_broker(text="", **more):
    """A valid configuration plus some text in front of its [[broker]] and keys within it."""
    return text + "\n" + toml({"broker": [{**BROKER, **more}]})


# --- usage
def test_the_version_is_printed():
    status, output = run("--version")
    assert status == 0 and re.search(r"\d+\.\d+\.\d+", output)


@pytest.mark.parametrize("command", [[], ["serve"], ["check"], ["send"]])
def test_help_is_there_on_every_level(command):
    status, output = run(*command, "--help")
    assert status == 0 and "sage" in output
    for name in command or ["serve", "check", "send"]:
        assert name in output
    assert run("help", *command) == (0, output)


def test_help_that_was_asked_for_goes_to_standard_output_and_any_other_to_standard_error():
    asked = run_apart("help")
    assert asked.returncode == 0 and "Usage: sluice" in asked.stdout and not asked.stderr
    unasked = run_apart()
    assert unasked.returncode == 2 and unasked.stderr == asked.stdout and not unasked.stdout


def test_a_wrong_command_is_answered_with_the_nearest():
    status, output = run("chekc")
    assert status == 2 and "did you mean check?" in output


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["--frobnicate"], ["serve", "--frobnicate"],
                                       ["check", "-c"], ["check", "one", "two"], ["help", "frobnicate"]],
                         ids=" ".join)
def test_wrong_usage_exits_with_2(arguments):
    status, output = run(*arguments)
    assert status == 2 and output.strip()


@pytest.mark.parametrize("command", ["check", "serve"])
def test_an_empty_file_name_is_wrong_usage(command):
    status, output = run(command, "-c", "")
    assert status == 2 and "--config: empty file name" in output


def test_a_configuration_file_that_is_not_there_is_named(tmp_path):
    missing = str(tmp_path / "missing.toml")
    for command in ("check", "serve"):
        status, output = run(command, "-c", missing)
        assert status == 2 and missing in output


# --- check
def test_a_good_configuration_exits_with_0(tmp_path):
    assert check(tmp_path, with_broker()) == (0, [])


def test_the_reference_configuration_is_good():
    status, output = run("check", "-c", str(ROOT / "conf" / "sluice.toml"))
    assert status == 0, output


def test_all_faults_are_listed_at_once_each_with_its_place(tmp_path):
    status, faults = check(tmp_path, """[server]
max_connections = "many"
lisen = ["tcp://127.0.0.1:9501"]

[defaults]
qos = 3

[[broker]]
name = "a"
url = "mqtt://127.0.0.1:1883"
min_dev_no = 0
""")
    assert status == 2
    places = {(line, column) for line, column, _ in faults}
    assert len(faults) == 4, faults
    by_line = {line: what for line, _, what in faults}
    assert "max_connections" in by_line[2]
    assert "lisen" in by_line[3] and "listen" in by_line[3].replace("lisen", "")
    assert "qos" in by_line[6]
    assert "max_dev_no" in by_line[8]
    assert (3, 1) in places and (8, 1) in places


def test_a_syntax_error_ends_the_check(tmp_path):
    status, faults = check(tmp_path, "[server]\nmax_connections = = 5\n[defaults]\nqos = 9\n")
    assert status == 2 and [line for line, _, _ in faults] == [2]


def test_a_configuration_without_a_broker_is_refused_at_its_beginning(tmp_path):
    status, faults = check(tmp_path, "[defaults]\nqos = 1\n")
    assert status == 2 and len(faults) == 1
    assert faults[0][:2] == (1, 1) and "broker" in faults[0][2]


@pytest.mark.parametrize("text, line, words", [
    ("[defualts]\nqos = 1", 1, ["defualts", "defaults"]),
    ("[defaults]\nqos = true", 2, ["qos"]),
    ("[defaults]\nqos = -1", 2, ["qos"]),
    ("[defaults]\npublish_timeout_ms = 0", 2, ["publish_timeout_ms"]),
    ("[defaults]\npublish_timeout_ms = 1.5", 2, ["publish_timeout_ms"]),
    ("[defaults]\npublish_timeout_ms = 60001", 2, ["publish_timeout_ms", "max_timeout_ms"]),
    ("[server]\nlisten = []", 2, ["listen"]),
    ("[server]\nlisten = \"127.0.0.1:9501\"", 2, ["listen"]),
    ("[server]\nmax_conn = 5", 2, ["server.max_connections"]),
    ("[limits]\ntimeout_ms = 5", 2, ["limits.max_timeout_ms", "limits.request_timeout_ms"]),
    ("[log]\nfile = \"/nowhere/at/all\"", 2, ["log.file", "/nowhere/at"]),
    ("server:\n  listen: x", 1, ["not TOML", "[server]"]),
    ("[log]\nlevel = info", 2, ["not TOML", "quotes"]),
    ("[server]\nlisten = [\"127.0.0.1:9501\"]", 2, ["listen"]),
    ("[server]\nlisten = [\"tcp://127.0.0.1:99999\"]", 2, ["listen"]),
    ("[server]\nmax_connections = 0", 2, ["max_connections"]),
    ("[server]\ndrain_delay_ms = -1", 2, ["drain_delay_ms"]),
    ("[limits]\nmax_request_bytes = 16777216", 2, ["max_request_bytes", "16777215"]),
    ("[log]\nlevel = \"loud\"", 2, ["level", "info"]),
    ("[log]\nformat = \"xml\"", 2, ["format", "json"]),
    ("[admin]\nlisten = 9580", 2, ["listen"]),
    ("qos = 1", 1, ["qos"])], ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "")
def test_a_fault_is_said_with_its_line_and_key(tmp_path, text, line, words):
    status, faults = check(tmp_path, with_broker(text))
    assert status == 2 and len(faults) == 1, faults
    assert faults[0][0] == line
    for word in words:
        assert word in faults[0][2]


@pytest.mark.parametrize("key, value, words", [
    ("url", "127.0.0.1:1883", ["url", "mqtt://"]), ("url", "http://127.0.0.1", ["url"]), ("url", "", ["url"]),
    ("max_dev_no", 0, ["min_dev_no"]), ("max_dev_no", 1, ["max_dev_no"]), ("max_dev_no", "10", ["max_dev_no"]),
    ("connections", 0, ["connections"]), ("keepalive_s", 3, ["keepalive_s"]), ("keepalive_s", 65536, ["keepalive_s"]),
    ("client_id", "same-for-all", ["client_id", "{slot}"]), ("client_id", "{solt}", ["client_id"]),
    ("name", "", ["name"]), ("reconnect_max_ms", 1, ["reconnect_max_ms"]),
    ("conections", 5, ["conections", "connections"]), ("host", "h", ["broker[a].url"]),
    ("timeout_ms", 5, ["broker[a].connect_timeout_ms", "broker[a].ack_timeout_ms"])], ids=str)
def test_a_broker_s_fault_is_said_with_its_key(tmp_path, key, value, words):
    status, faults = check(tmp_path, with_broker(**{key: value}))
    assert status == 2 and len(faults) >= 1, faults
    for word in words:
        assert any(word in what for _, _, what in faults), faults


def test_the_allowed_keys_are_listed_once(tmp_path):
    status, faults = check(tmp_path, with_broker("[replies]\nfrob = 1\nnicate = 2"))
    assert status == 2 and [line for line, _, _ in faults] == [2, 3]
    assert ["allowed are" in what for _, _, what in faults] == [True, False]


def test_a_single_listener_may_stand_without_brackets(tmp_path):
    assert check(tmp_path, with_broker("[server]\nlisten = \"tcp://127.0.0.1:9501\"")) == (0, [])


def test_a_refused_url_is_printed_without_what_may_be_secret(tmp_path):
    for url in ("mqtt://h/?password=S3cr3t", "http://u:S3cr3t@h", "ws://h#S3cr3t"):
        status, faults = check(tmp_path, with_broker(url=url))
        assert status == 2 and len(faults) == 1
        assert "S3cr3t" not in faults[0][2] and "mqtt://HOST" in faults[0][2]


def test_what_may_be_a_mistake_is_warned_of_and_changes_no_status(tmp_path):
    second = {**BROKER, "name": "b", "url": "mqtt://127.0.0.1", "min_dev_no": 10, "max_dev_no": 20}
    status, warnings = check(tmp_path, toml({"broker": [BROKER, second]}))
    assert status == 0 and len(warnings) == 2
    assert all(what.startswith("warning: broker[b].") for _, _, what in warnings)
    assert "device 10 between" in " ".join(what for _, _, what in warnings)


def test_two_brokers_of_one_name_are_refused(tmp_path):
    second = {**BROKER, "min_dev_no": 10, "max_dev_no": 20}
    status, faults = check(tmp_path, toml({"broker": [BROKER, second]}))
    assert status == 2 and any("name" in what for _, _, what in faults)


def test_the_environment_is_taken_in(tmp_path):
    text = with_broker("[server]\nmax_connections = \"${SLUICE_TEST_MAX}\"\ninstance = \"i${SLUICE_TEST_NONE:-x}\"",
                       username="$${literal}")
    assert check(tmp_path, text, env={"SLUICE_TEST_MAX": "7"}) == (0, [])
    status, faults = check(tmp_path, text, env={"SLUICE_TEST_MAX": "seven"})
    assert status == 2 and [line for line, _, _ in faults] == [2]


def test_a_variable_that_is_not_set_is_a_fault(tmp_path):
    status, faults = check(tmp_path, with_broker("[server]\ninstance = \"${SLUICE_TEST_NOT_SET}\""))
    assert status == 2 and len(faults) == 1
    assert faults[0][0] == 2 and "SLUICE_TEST_NOT_SET" in faults[0][2]


def test_a_password_is_not_printed_with_a_fault(tmp_path):
    file = tmp_path / "test.toml"
    file.write_text(with_broker(username="u", password="very-secret", qos=1), encoding="utf-8")
    status, output = run("check", "-c", str(file))
    assert status == 2 and "very-secret" not in output


# --- serve
def test_serve_creates_no_folder_for_its_log(tmp_path):
    file = tmp_path / "test.toml"
    file.write_text(with_broker(f'[log]\nfile = "{tmp_path}/new/log"'), encoding="utf-8")
    status, output = run("serve", "-c", str(file))
    assert status == 2 and f"{file}:2:" in output and f"{tmp_path}/new" in output
    assert not (tmp_path / "new").exists()


def test_serve_with_a_faulty_configuration_exits_with_2_and_says_the_same(tmp_path):
    file = tmp_path / "test.toml"
    file.write_text(with_broker("[defaults]\nqos = 9"), encoding="utf-8")
    status, output = run("serve", "-c", str(file))
    assert status == 2 and f"{file}:2:" in output


@pytest.mark.parametrize("listeners, admin", [('"tcp://127.0.0.1:{free}", "tcp://127.0.0.1:{taken}"', ""),
                                              ('"tcp://127.0.0.1:{free}"', "127.0.0.1:{taken}")],
                         ids=["for requests", "admin"])
def test_an_address_in_use_is_named_and_exits_with_1(tmp_path, taken_port, listeners, admin):
    file = tmp_path / "test.toml"
    text = f'[server]\nlisten = [{listeners}]\n[admin]\nlisten = "{admin}"'
    file.write_text(with_broker(text.format(free=net.free_port(), taken=taken_port)), encoding="utf-8")
    status, output = run("serve", "-c", str(file))
    assert status == 1 and f"127.0.0.1:{taken_port}" in output


def test_listeners_are_bound_before_any_broker_is_contacted(lab, tmp_path, taken_port):
    broker = lab.broker()
    file = tmp_path / "test.toml"
    file.write_text(toml({"server": {"listen": [f"tcp://127.0.0.1:{taken_port}"]}, "admin": {"listen": ""},
                          "broker": [broker_table(broker)]}), encoding="utf-8")
    assert run("serve", "-c", str(file))[0] == 1
    assert "sluice-" not in broker.log()


def test_several_listeners_serve_at_once(lab):
    ports = [net.free_port() for _ in range(3)]
    sluice = lab.sluice(lab.broker(), listen=[f"tcp://127.0.0.1:{port}" for port in ports])
    for port in ports:
        assert_success(sluice.client(address=("127.0.0.1", port)).ask(request()))


def test_an_ipv6_listener_serves(lab):
    port = net.free_port("::1")
    sluice = lab.sluice(lab.broker(), listen=[f"tcp://[::1]:{port}"])
    assert_success(sluice.client(address=("::1", port)).ask(request()))
