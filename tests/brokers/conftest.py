"""Fixtures of the tests against real brokers: one instance of each kind serves all its tests. By hand, after
tools/install-deps brokers, from the root of the checkout:
SLUICE_BIN=build/…/sluice python3 -m pytest -n 4 --dist loadgroup tests/brokers [-k rabbitmq]
"""
import itertools
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

from harness.lab import Lab  # noqa: E402
from harness.sluice import broker_table  # noqa: E402
from kinds import KINDS  # noqa: E402

_numbers = itertools.count()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "known_fault(kind, reason, **parameters): at this kind of broker, with these parameters, the test "
        "fails for this reason; the run fails as soon as it passes")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """With -n, all tests of a kind run in one process, so that each broker is started once."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(parameters.get("broker", "none")))
        for mark in item.iter_markers("known_fault"):
            if {"broker": mark.args[0], **mark.kwargs}.items() <= parameters.items():
                item.add_marker(pytest.mark.xfail(reason=mark.args[1], raises=AssertionError, strict=True))


@pytest.fixture(scope="session")
def instances(tmp_path_factory):
    """instances(kind): the broker of this kind, made when it is first asked for; all are ended with the session."""
    made = {}

    def instance(kind):
        if kind not in made:
            made[kind] = KINDS[kind](tmp_path_factory.mktemp(kind))
        return made[kind]
    yield instance
    for broker in made.values():
        broker.close()


@pytest.fixture
def broker(request, instances):
    """A running broker of the kind that the test names; started again if a failed test has left it dead."""
    broker = instances(request.param)
    if not broker.is_running():
        broker.close()
        broker.start()
    yield broker
    broker.thaw()


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def topic():
    """The first level of a test's topics, which no other test uses at this broker."""
    return f"t{next(_numbers)}"


class Rig:
    """A broker and what a test connects to it."""

    def __init__(self, lab, broker, topic):
        self.lab, self.broker, self.topic = lab, broker, topic

    def sluice(self, target=None, until="ready", **keys):
        """sluice with what its [[broker]] table needs for this kind. target: a relay instead of the broker itself."""
        return self.lab.sluice(broker_table(target or self.broker, **{**self.broker.keys, **keys}), until=until)

    def subscriber(self, levels="#", qos=0):
        """One that sees all topics of the test, or one of them."""
        login = {key: value for key, value in self.broker.keys.items() if key in ("username", "password")}
        return self.lab.subscriber(self.broker, topic=f"{self.topic}/{levels}", qos=qos, protocol=self.broker.protocol,
                                   **login)


@pytest.fixture
def rig(lab, broker, topic):
    return Rig(lab, broker, topic)
