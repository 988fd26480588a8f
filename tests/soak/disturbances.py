"""Disturbances of the rough broker and of the relay in front of it. Each is a function of the scene and of random
numbers; it returns a description once it is over and the broker is reachable again."""
import time
from dataclasses import dataclass
from typing import Callable

from .judge import Facts


@dataclass(frozen=True)
class Disturbance:
    name: str
    act: Callable
    facts: Facts = Facts()


def _nothing(_scene, rng):
    seconds = rng.uniform(0.5, 1.5)
    time.sleep(seconds)
    return f"nothing for {seconds:.1f} s"


def _restart(end, name):
    def act(scene, rng):
        seconds = rng.uniform(0.2, 2)
        subscriptions = scene.rough_tap.subscriptions()
        end(scene.rough)
        time.sleep(seconds)
        scene.rough.start()
        scene.rough_tap.wait_for_subscriptions(subscriptions + 1)
        return f"{name}, back after {seconds:.1f} s"
    return act


def _freeze(scene, rng):
    seconds = rng.uniform(0.2, 3)
    scene.rough.freeze()
    time.sleep(seconds)
    scene.rough.thaw()
    return f"SIGSTOP for {seconds:.1f} s"


def _stall(scene, rng):
    seconds = rng.uniform(0.2, 3)
    scene.relay.stall()
    time.sleep(seconds)
    scene.relay.resume()
    return f"stall for {seconds:.1f} s"


def _cut_all(scene, rng):
    times = rng.randint(1, 5)
    for _ in range(times):
        scene.relay.cut()
        time.sleep(rng.uniform(0.05, 0.3))
    return f"all connections cut {times} x"


def _cut_one(scene, rng):
    times = rng.randint(1, 8)
    for _ in range(times):
        scene.relay.cut(1)
        time.sleep(rng.uniform(0.02, 0.2))
    return f"one connection cut {times} x"


def _refuse(scene, rng):
    seconds = rng.uniform(0.2, 2)
    scene.relay.refuse()
    scene.relay.cut()
    time.sleep(seconds)
    scene.relay.accept()
    return f"unreachable for {seconds:.1f} s"


def _freeze_and_cut(scene, rng):
    """The broker still has unread input of the dead connections."""
    seconds = rng.uniform(0.2, 1.5)
    scene.rough.freeze()
    time.sleep(seconds)
    scene.relay.cut()
    time.sleep(seconds)
    scene.rough.thaw()
    return f"SIGSTOP for {2 * seconds:.1f} s, cut in between"


_LOSES = Facts(connections_lost=True)
_FORGETS = Facts(connections_lost=True, forgot=True)

ALL = [
    Disturbance("nothing", _nothing),
    Disturbance("kill -9", _restart(lambda broker: broker.kill(), "kill -9"), _FORGETS),
    Disturbance("freeze", _freeze),
    Disturbance("cut all", _cut_all, _LOSES),
    Disturbance("kill -9", _restart(lambda broker: broker.kill(), "kill -9"), _FORGETS),
    Disturbance("cut one", _cut_one, _LOSES),
    Disturbance("stall", _stall),
    Disturbance("refuse", _refuse, _LOSES),
    Disturbance("graceful stop", _restart(lambda broker: broker.stop(), "graceful stop"), _FORGETS),
    Disturbance("freeze and cut", _freeze_and_cut, _LOSES),
]


def shuffled(rng):
    """Endless: every disturbance once, in another order each round."""
    while True:
        bag = list(ALL)
        rng.shuffle(bag)
        yield from bag
