"""Descriptors at the start: the standard ones closed, or few allowed. What serve needs is in test_limits.py."""
import os
import subprocess

import pytest

from harness.client import request
from harness.replies import assert_success
from harness.sluice import binary, environment, is_sanitized, without
from harness.waiting import BOUND_S

ALL = ["<&-", ">&-", "2>&-"]
# The dynamic loader needs one besides the standard ones, UBSan some more.
FEWEST = 12 if is_sanitized() else 4


def status_of(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, env=environment(), timeout=2 * BOUND_S, check=False).returncode


def sending(rig, *message):
    return ["send", "--address", f"127.0.0.1:{rig.sluice.port}", "--device", "1001", "--topic", "t", *message]


@pytest.mark.parametrize("to", ["a file", "standard error"])
@pytest.mark.parametrize("closed", [[ALL[0]], [ALL[1]], [ALL[2]], ALL], ids=" ".join)
def test_no_socket_and_no_file_gets_the_number_of_a_closed_standard_descriptor(lab, tmp_path, closed, to):
    log = tmp_path / "sluice.log"
    sluice = lab.sluice(lab.broker(), until="later", log={"file": str(log)} if to == "a file" else {})
    sluice.start(closed=closed)
    for one in closed:
        assert os.readlink(f"/proc/{sluice.pid}/fd/{ALL.index(one)}") == "/dev/null"
    client = sluice.client()
    for _ in range(3):
        assert_success(client.ask(request()))
    assert not client.has_input()
    assert sluice.stop() == 0
    if to == "a file":
        assert "shut down after" in log.read_text("utf-8")


def test_check_and_send_work_without_standard_descriptors(rig):
    assert status_of(*without(ALL), binary(), "check", "-c", str(rig.sluice.file)) == 0
    assert status_of(*without(ALL), binary(), *sending(rig, "open")) == 0
    assert status_of(*without(ALL), binary(), *sending(rig, "-")) == 0  # no line at all


@pytest.mark.parametrize("count", [*range(FEWEST, 20), 64])
def test_check_and_send_work_with_few_descriptors(rig, count):
    limited = ["prlimit", f"--nofile={count}:{count}", binary()]
    assert status_of(*limited, "check", "-c", str(rig.sluice.file)) == 0
    assert status_of(*limited, *sending(rig, "open")) == 0
