"""Commands are bounded, and nothing that they start outlives them."""
import os
import sys
import threading
import time

import pytest

from testing.processes import Processes

BOUND_S = 30


@pytest.fixture
def processes():
    processes = Processes(grace_s=0.2)
    yield processes
    processes.close()


def python(text):
    return [sys.executable, "-c", text]


def wait_until(condition):
    until = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def is_alive(number):
    """A process that has ended but was not reaped yet has ended."""
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_status_output_and_cpu_time_of_a_command_are_known(processes, tmp_path):
    ended = processes.run(python("import time; print('hello')\nwhile time.process_time() < 0.2: pass\nexit(3)"), BOUND_S,
                          tmp_path / "log")
    assert (ended.status, ended.is_late) == (3, False)
    assert ended.cpu_s >= 0.2
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_command_that_is_not_there_fails(processes, tmp_path):
    assert processes.run(["./no-such-program"], BOUND_S, tmp_path / "log").status == 127
    assert "no-such-program" in (tmp_path / "log").read_text()


def test_a_command_that_takes_too_long_is_ended_and_its_log_says_so(processes, tmp_path):
    ended = processes.run(["sleep", "1000"], 0.1, tmp_path / "log")
    assert (ended.status, ended.is_late) == (-15, True)
    assert "did not end within" in (tmp_path / "log").read_text()


def test_one_that_does_not_hear_is_killed(processes, tmp_path):
    ended = processes.run(["bash", "-c", "trap '' TERM; while :; do read -t 0.05 <> <(:); done"], 0.3, tmp_path / "log")
    assert (ended.status, ended.is_late) == (-9, True)


def test_what_a_command_leaves_behind_is_ended(processes, tmp_path):
    processes.run(["bash", "-c", "sleep 1000 & echo $!"], BOUND_S, tmp_path / "log")
    left = int((tmp_path / "log").read_text())
    wait_until(lambda: not is_alive(left))


def test_close_ends_all_that_runs_and_lets_nothing_begin(processes, tmp_path):
    log, ends = tmp_path / "log", []
    command = ["bash", "-c", "echo $$; exec sleep 1000"]
    runner = threading.Thread(target=lambda: ends.append(processes.run(command, BOUND_S, log)))
    runner.start()
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    processes.close()
    runner.join(BOUND_S)
    assert [ended.status for ended in ends] == [-15]
    assert processes.run(["true"], BOUND_S, log).status == 127
    assert not is_alive(int(log.read_text().split()[0]))


def test_standard_input_is_empty(processes, tmp_path):
    assert processes.run(["cat"], BOUND_S, tmp_path / "log").status == 0
    assert os.path.getsize(tmp_path / "log") == 0
