"""Fixtures of the black-box suite. Run with the system's python3:
SLUICE_BIN=build/…/sluice python3 -m pytest tests/blackbox
(SLUICE_SANITIZED=1 where the binary carries sanitizers: resident memory is then not judged.)
"""
import faulthandler
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness.lab import Lab  # noqa: E402

# No test may hang the suite; far above anything that a passing test takes.
TEST_LIMIT_S = 240


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def too_long(_number, _frame):
        faulthandler.dump_traceback(all_threads=True)
        raise TimeoutError(f"{item.name}: not done within {TEST_LIMIT_S} s")
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


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
