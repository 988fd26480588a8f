"""Fixtures of the black-box suite. Run with the system's python3:
SLUICE_BIN=build/…/sluice python3 -m pytest [-n 4] [-m "not slow"] tests/blackbox
(SLUICE_SANITIZED=1 where the binary carries sanitizers: resident memory is then not judged.)
Tests run side by side with -n, and beside anything else: none judges by the time on the wall.
"""
import ctypes
import faulthandler
import itertools
import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness.lab import Lab  # noqa: E402

# No test may hang the suite; far above anything that a passing test takes.
TEST_LIMIT_S = 240

_numbers = itertools.count()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """A file's tests stay together with -n unless --dist says otherwise: what they share is made once."""
    if config.getoption("numprocesses", None) and config.getoption("dist") == "no":
        config.option.dist = "loadfile"


class NotDoneInTime(Exception):
    """The test took longer than TEST_LIMIT_S; where it was is in the error output."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol():
    """No alarm(): under xdist a test may run in another thread than the main one. The exception comes when the thread
    is back from what it waits for, and all waits have bounds."""
    def too_long(thread=threading.get_ident()):
        faulthandler.dump_traceback(all_threads=True)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(NotDoneInTime))
    timer = threading.Timer(TEST_LIMIT_S, too_long)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory):
    """One lab for all tests of a file: for tables of small cases that leave nothing behind."""
    lab = Lab(tmp_path_factory.mktemp("shared"))
    yield lab
    lab.close()


@pytest.fixture
def topic():
    """One that no other test uses."""
    return f"own/{next(_numbers)}"


@pytest.fixture
def taken_port():
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


class Rig:
    """The usual set: a broker, a subscriber to everything, sluice."""

    def __init__(self, lab):
        self.broker = lab.broker()
        self.subscriber = lab.subscriber(self.broker)
        self.sluice = lab.sluice(self.broker)

    def client(self, **more):
        return self.sluice.client(**more)


@pytest.fixture
def rig(lab):
    return Rig(lab)


@pytest.fixture(scope="module")
def shared_rig(shared_lab):
    return Rig(shared_lab)
