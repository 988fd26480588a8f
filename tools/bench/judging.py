"""Turns what was measured into figures, figures into medians and ratios, and those into verdicts. Knows no process and
no file. What could not be measured is None all the way; it never becomes 0."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Summary:
    median: float
    least: float
    most: float
    rounds: int


@dataclasses.dataclass(frozen=True)
class Verdict:
    target: object
    reached: object  # Summary, or None
    word: str  # "met", "missed", "not measured" or "quick run"


def figures_of(raw, bridge="bridge"):
    """The figures of one run of a load generator, from its JSON. The publisher itself is the bridge where none stands
    between."""
    latency = raw.get("latency_us", {}) if raw.get("ok") else {}
    cpu = raw.get("cpu_us_per_message", {}) if raw.get("ok") else {}
    failed = sum(raw.get("errors", {}).values()) + raw["sent"] - raw["answered"] + raw["lost_connections"]
    figures = {"messages_per_s": raw.get("messages_per_s") if raw.get("ok") else None,
               "cpu_us": cpu.get(bridge),
               "broker_us": cpu.get("broker"),
               "peak_mib": raw.get("peak_mib"),
               "rate": raw.get("rate") or None,
               "late": raw.get("unsent", 0),
               "failed": failed,
               "errors": raw.get("errors", {})}
    for name in ("p50", "p75", "p90", "p95", "p99", "p999", "p9999", "max"):
        figures[f"{name}_us"] = latency.get(name)
    return figures


def waits_of(waited_ms):
    """How long messages waited in a saturated broker, and whether that grew: the later half of the run, and its ratio
    to the earlier half. From the means of its parts, of which the first has the start in it and the last the end."""
    inner = waited_ms[1:-1]
    half = len(inner) // 2
    halves = [[wait for wait in part if wait is not None] for part in (inner[:half], inner[len(inner) - half:])]
    if not all(halves):
        return {"broker_wait_ms": None, "broker_wait_growth": None}
    earlier, later = map(statistics.mean, halves)
    return {"broker_wait_ms": later, "broker_wait_growth": later / earlier if earlier else None}


def values(rounds, figure):
    """One figure of each round; None where that round has none."""
    return [found.get(figure) if found else None for found in rounds or []]


def summarize(numbers):
    """Median with the lowest and the highest, of those that are there; None where none is."""
    there = [number for number in numbers if number is not None]
    if not there:
        return None
    return Summary(statistics.median(there), min(there), max(there), len(there))


def pairwise(above, below, operation):
    """`operation` of what was measured in the same round; rounds that lack one of the two do not count."""
    return summarize([operation(a, b) for a, b in zip(above, below) if a is not None and b is not None])


def ratio(above, below):
    return pairwise(above, [number or None for number in below], lambda a, b: a / b)


def difference(above, below):
    return pairwise(above, below, lambda a, b: a - b)


def judge(target, measured, is_quick=False):
    """`measured` maps (scenario, subject) to the figures of its rounds. A quick run is too short for a verdict."""
    above = values(measured.get(target.above), target.figure)
    if target.how == "value":
        reached = summarize(above)
    else:
        below = values(measured.get(target.below), target.figure)
        reached = (ratio if target.how == "ratio" else difference)(above, below)
    if reached is None:
        return Verdict(target, None, "not measured")
    if is_quick:
        return Verdict(target, reached, "quick run")
    is_met = reached.median >= target.bound if target.at_least else reached.median <= target.bound
    return Verdict(target, reached, "met" if is_met else "missed")


def failures(measured):
    """How many requests were not answered with success, over everything."""
    return sum(found.get("failed") or 0 for rounds in measured.values() for found in rounds if found)


def gaps(measured, expected):
    """The (scenario, subject, figure) that should be there and are not."""
    return [(*key, figure) for key, figures in expected.items() for figure in figures
            if summarize(values(measured.get(key), figure)) is None]


def expected_of(scenarios):
    """What a run of these scenarios has to bring."""
    by_kind = {"load": ("messages_per_s", "cpu_us", "p50_us", "p90_us", "p99_us", "p999_us", "peak_mib"),
               "idle": ("idle_kib",), "calls": ("calls",)}
    waits = ("broker_wait_ms", "broker_wait_growth")
    return {(s.name, subject): by_kind[s.kind] + (waits if s.broker == "saturated" else ())
            for s in scenarios for subject in s.subjects}
