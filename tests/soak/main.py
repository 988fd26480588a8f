"""The course of a soak: cycles of load, one disturbance and a calm moment; then a table and the result."""
import collections
import itertools
import random
import re
import time
from dataclasses import dataclass, field

from . import judge
from .clients import KINDS, Crowd
from .disturbances import ALL, shuffled
from .ledger import CALM, ROUGH
from .scene import Pulse, Scene
from harness.sluice import is_sanitized

LEAD_S, TAIL_S = (0.3, 1.0), (0.3, 1.0)  # load before and after the disturbance
WARM_UP_SHARE, WARM_UP_MOST_S = 0.25, 120
SHOWN = 10  # violations shown of one cycle

OUTCOMES = ("ok", "timeout", "broker_unavailable", "partial", "no_route", "unread")


@dataclass
class Cycle:
    """The result of one cycle."""
    name: str
    done: str = ""
    at_s: float = 0.0
    outcomes: collections.Counter = field(default_factory=collections.Counter)
    arrived: int = 0
    connections: int = 0
    own_pause_s: float = 0.0
    descriptors: int = 0
    resident: int = 0
    violations: list = field(default_factory=list)

    def requests(self):
        return sum(self.outcomes.values())


class Soak:
    def __init__(self, scene, seed):
        self._scene, self._seed = scene, seed
        self._pulse = Pulse()
        self._earlier = []
        self._order = shuffled(random.Random(seed))
        faults = scene.recover()
        assert not faults, faults
        self.baseline = scene.descriptors_at_rest()

    def cycle(self, number):
        disturbance = next(self._order)
        result = Cycle(disturbance.name)
        crowd = self._load(disturbance, number, result)
        self._look_back(disturbance, crowd, result)
        return result

    def _load(self, disturbance, number, result):
        scene, rng = self._scene, random.Random(f"{self._seed}/{number}")
        self._pulse.take()
        crowd = Crowd(scene.address, scene.unix_path)
        crowd.start(KINDS, lambda index: random.Random(f"{self._seed}/{number}/{index}"))
        try:
            time.sleep(rng.uniform(*LEAD_S))
            result.done = disturbance.act(scene, rng)
            time.sleep(rng.uniform(*TAIL_S))
        except AssertionError as fault:
            result.violations.append(f"{disturbance.name}: {fault}")
        finally:
            late = crowd.stop()
        if late:
            result.violations.append(f"{late} clients did not end")
        result.violations += crowd.broken
        return crowd

    def _look_back(self, disturbance, crowd, result):
        scene, found = self._scene, result.violations
        running = scene.sluice.is_running()
        if running:
            found += scene.recover()
            result.descriptors = scene.descriptors(self.baseline)
            result.resident = scene.sluice.resident_bytes()
            found += judge.judge_descriptors(self.baseline, result.descriptors)
        else:
            found.append("sluice ended unexpectedly; the end of its log:\n" + scene.sluice.log()[-3000:])
        found += [f"a sanitizer's report: {line}" for line in scene.sanitizer_report()]
        result.own_pause_s = self._pulse.take()
        for stream in crowd.streams:
            found += judge.judge_stream(stream, judge.LATE_S + result.own_pause_s)
        for broker, tap, facts in ((ROUGH, scene.rough_tap, disturbance.facts), (CALM, scene.calm_tap, judge.Facts())):
            arrivals = tap.take()
            result.arrived += len(arrivals)
            if running:
                found += judge.judge_arrivals(broker, facts, crowd.streams, arrivals)
                found += judge.judge_stragglers(broker, self._earlier, arrivals)
        self._earlier = crowd.streams
        result.connections = len(crowd.streams)
        for request in itertools.chain.from_iterable(stream.requests for stream in crowd.streams):
            result.outcomes[outcome(request)] += 1


def outcome(request):
    if request.reply is None:
        return "unread"
    return "ok" if request.reply.get("code") == 1 else str(request.reply.get("error"))


def mib(size):
    return f"{size / 1048576:.1f}"


def run(minutes, seed, folder, log=None):
    """Returns the number of violations."""
    print(f"seed {seed}; {len(KINDS)} clients at a time; sluice's memory is judged after a warm-up", flush=True)
    scene = Scene(folder, log)
    cycles, ending, whole = [], [], False
    try:
        soak, begin = Soak(scene, seed), time.monotonic()
        while time.monotonic() < begin + minutes * 60 and scene.sluice.is_running():
            cycle = soak.cycle(len(cycles))
            cycle.at_s = time.monotonic() - begin
            cycles.append(cycle)
            print_cycle(cycle, sum(past.requests() for past in cycles))
        whole = True
    finally:
        try:
            scene.close()
        except AssertionError as fault:
            ending = [f"sluice's exit: {fault}"] if whole else []
    return report(cycles, ending, minutes, seed)


def print_cycle(cycle, total):
    outcomes = ", ".join(f"{name} {cycle.outcomes[name]}" for name in cycle.outcomes if cycle.outcomes[name])
    print(f"{cycle.at_s:7.1f} s  {cycle.done:36s} {total:9,d} requests ({outcomes}); {cycle.descriptors} descriptors, "
          f"{mib(cycle.resident)} MiB", flush=True)
    show(cycle.violations)


def show(violations):
    for text in violations[:SHOWN]:
        print(f"  VIOLATION {text}", flush=True)
    if len(violations) > SHOWN:
        print(f"  and {len(violations) - SHOWN} more", flush=True)


def after_warm_up(cycles, minutes):
    warm_up = min(WARM_UP_MOST_S, minutes * 60 * WARM_UP_SHARE)
    return [cycle for cycle in cycles if cycle.at_s > warm_up]


def report(cycles, ending, minutes, seed):
    judged = after_warm_up(cycles, minutes)
    samples = [cycle.resident for cycle in judged if cycle.resident] if not is_sanitized() else []
    ending = ending + judge.judge_memory(samples)
    if minutes >= 1 and not is_sanitized() and judge.growth(samples) is None:
        ending.append(f"only {len(samples)} calm moments after the warm-up: resident memory could not be judged")
    if not cycles:
        ending.append("not one cycle was run")
    print_table(cycles)
    requests = sum(cycle.requests() for cycle in cycles)
    seconds = cycles[-1].at_s if cycles else 0.0
    connections = sum(cycle.connections for cycle in cycles)
    print(f"\n{requests:,d} requests over {connections:,d} connections in {seconds:.0f} s, "
          f"{requests / max(seconds, 1):,.0f} a second with the calm moments; {sum(cycle.arrived for cycle in cycles):,d} arrivals")
    print("resident MiB at the calm moments: " + " ".join(mib(cycle.resident) for cycle in cycles))
    print(memory_line(samples, sum(cycle.requests() for cycle in judged)))
    print("descriptors at the calm moments: " + " ".join(str(cycle.descriptors) for cycle in cycles))
    show(ending)
    count = len(ending) + sum(len(cycle.violations) for cycle in cycles)
    print(f"\n{count} violations (seed {seed})" if count else f"\nno violation in {len(cycles)} cycles (seed {seed})")
    return count


def memory_line(samples, requests):
    grown = judge.growth(samples)
    if is_sanitized():
        return "resident memory was not judged: most of it is the sanitizers'"
    if grown is None:
        return (f"resident memory was not judged: {len(samples)} calm moments after the warm-up, "
                f"{judge.FEWEST_SAMPLES} are needed")
    each = grown / max(1, requests * 2 / 3)  # from the middle of the first third to that of the last
    return (f"resident memory between the first and the last third after the warm-up: {grown / 1024:+,.0f} KiB "
            f"({each:+.1f} bytes a request); allowed are {judge.allowed_growth(samples) / 1024:,.0f} KiB")


def print_table(cycles):
    columns = ("disturbance", "cycles", "requests", *OUTCOMES, "own pause ms", "violations")
    rows = []
    for name in [*dict.fromkeys(disturbance.name for disturbance in ALL), "all"]:
        mine = [cycle for cycle in cycles if name in ("all", cycle.name)]
        if not mine:
            continue
        outcomes = sum((cycle.outcomes for cycle in mine), collections.Counter())
        others = sum(outcomes.values()) - sum(outcomes[key] for key in OUTCOMES)
        cells = [outcomes[key] for key in OUTCOMES]
        cells[-1] += others  # anything else is a violation already
        rows.append((name, len(mine), sum(outcomes.values()), *cells,
                     round(1000 * max(cycle.own_pause_s for cycle in mine)), sum(len(c.violations) for c in mine)))
    texts = [[re.sub("_", " ", str(cell)) if isinstance(cell, str) else f"{cell:,d}" for cell in row]
             for row in [columns, *rows]]
    widths = [max(len(row[i]) for row in texts) for i in range(len(columns))]
    print()
    for row in texts:
        print("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                        for i, (text, width) in enumerate(zip(row, widths))))
