"""Shows what was measured: a table for the terminal, Markdown, and JSON. What is missing is shown as "-"."""

import dataclasses

from judging import ratio, summarize, values
from scenarios import SUBJECTS

# Title, figure, form, and what to multiply with.
COLUMNS = (
    ("msg/s", "messages_per_s", ",.0f", 1),
    ("CPU us", "cpu_us", ".2f", 1),
    ("p50 ms", "p50_us", ".3f", 0.001),
    ("p99 ms", "p99_us", ".3f", 0.001),
    ("p99.9 ms", "p999_us", ".3f", 0.001),
    ("peak MiB", "peak_mib", ".1f", 1),
)
MISSING = "-"


def number(value, form, factor=1):
    return MISSING if value is None else format(value * factor, form)


def spread(summary, form, factor=1, unit=""):
    """The median, with the lowest and the highest where there is more than one."""
    if summary is None:
        return MISSING
    text = number(summary.median, form, factor) + (f" {unit}" if unit else "")
    if summary.rounds > 1:
        text += f" ({number(summary.least, form, factor)} to {number(summary.most, form, factor)})"
    return text


def failed_of(rounds):
    """Failures of all rounds, and what an open loop could not send in time."""
    if not any(rounds):
        return MISSING
    failed = sum(found.get("failed") or 0 for found in rounds if found)
    late = sum(found.get("late") or 0 for found in rounds if found)
    return f"{failed}" + (f" (late {late})" if late else "")


def load_rows(scenarios, measured, with_spread):
    """One row for each load and subject, in the order of the scenarios."""
    rows = []
    for scenario in scenarios:
        if scenario.kind != "load":
            continue
        for subject in scenario.subjects:
            rounds = measured.get((scenario.name, subject), [])
            cells = []
            for _, figure, form, factor in COLUMNS:
                summary = summarize(values(rounds, figure))
                cells.append(spread(summary, form, factor) if with_spread
                             else number(summary and summary.median, form, factor))
            to_limit = MISSING
            if subject != "limit" and "limit" in scenario.subjects and not scenario.half_of:
                to_limit = number(getattr(ratio(values(rounds, "messages_per_s"), values(
                    measured.get((scenario.name, "limit")), "messages_per_s")), "median", None), ".2f")
            rows.append([scenario.name, subject, *cells, to_limit, failed_of(rounds)])
    return rows


def other_rows(scenarios, measured):
    """Memory of silent clients, system calls, and how long messages waited in a broker that cannot keep up."""
    rows = []
    for scenario in scenarios:
        for subject in scenario.subjects:
            rounds = measured.get((scenario.name, subject), [])
            if scenario.kind == "idle":
                rows.append([scenario.meaning, subject,
                             spread(summarize(values(rounds, "idle_kib")), ".2f", unit="KiB a client")])
            if scenario.broker == "saturated":
                growth = spread(summarize(values(rounds, "broker_wait_growth")), ".2f")
                rows.append([scenario.meaning, subject, spread(summarize(values(rounds, "broker_wait_ms")), ".1f",
                                                               unit="ms in the broker") + f", growth {growth}"])
            if scenario.kind == "calls":
                names = next((found["calls_by_name"] for found in rounds if found), {})
                most = ", ".join(f"{name} {count:.2f}" for name, count in list(names.items())[:6])
                calls = spread(summarize(values(rounds, "calls")), ".2f", unit="a message")
                rows.append([scenario.meaning, subject, calls + (f": {most}" if most else "")])
    return rows


def target_rows(verdicts):
    rows = []
    for verdict in verdicts:
        target = verdict.target
        sign = ">=" if target.at_least else "<="
        rows.append([target.meaning, spread(verdict.reached, ".2f", unit=target.unit),
                     f"{sign} {target.bound:g}" + (f" {target.unit}" if target.unit else ""), verdict.word])
    return rows


def comparison_rows(scenarios, measured):
    """This sluice (A) against the other (B): each round's pair ran back to back, so its ratio is what counts."""
    rows = []
    for scenario in scenarios:
        ours, theirs = measured.get((scenario.name, "sluice")), measured.get((scenario.name, "other"))
        cells = []
        for figure in ("messages_per_s", "cpu_us", "p99_us", "peak_mib", "idle_kib", "calls"):
            cells.append(spread(ratio(values(ours, figure), values(theirs, figure)), ".2f"))
        rows.append([scenario.name, *cells])
    return rows


def text_table(header, rows):
    rows = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def markdown_table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


TARGET_HEADER = ["target", "reached", "wanted", "verdict"]
LOAD_HEADER = ["scenario", "subject", *(title for title, _, _, _ in COLUMNS), "msg/s / limit", "failed"]
OTHER_HEADER = ["scenario", "subject", "reached"]
COMPARISON_HEADER = ["A / B", "msg/s", "CPU", "p99", "peak memory", "idle memory", "calls"]


def document(result, table, with_spread):
    """The parts of a report: title and table, in the order of reading."""
    scenarios, measured = result["scenarios"], result["measured"]
    parts = []
    if result["verdicts"]:
        parts.append(("Targets", table(TARGET_HEADER, target_rows(result["verdicts"]))))
    if any("other" in scenario.subjects for scenario in scenarios):
        parts.append(("A is ours, B the other", table(COMPARISON_HEADER, comparison_rows(scenarios, measured))))
    parts.append(("Loads", table(LOAD_HEADER, load_rows(scenarios, measured, with_spread))))
    others = other_rows(scenarios, measured)
    if others:
        parts.append(("Memory, system calls, waiting in the broker", table(OTHER_HEADER, others)))
    return parts


def heading(result):
    length = "a few messages" if result["quick"] else f"{result['seconds']:g} s"
    lines = [f"{result['machine']}; {result['rounds']} rounds of {length}, load of the machine at the start "
             f"{result['load']:.1f}"]
    lines += [f"{subject}: {version}" for subject, version in result["versions"].items()]
    lines += [f"{subject} was left out: {why}" for subject, why in result["missing"].items()]
    if result["quick"]:
        lines.append("A quick run: it shows that the benchmark works, not how fast anything is.")
    return lines


def as_text(result):
    parts = [f"{title}\n{body}" for title, body in document(result, text_table, False)]
    return "\n".join(heading(result)) + "\n\n" + "\n\n".join(parts) + "\n"


def as_markdown(result):
    parts = [f"## {title}\n\n{body}" for title, body in document(result, markdown_table, True)]
    legend = "\n".join(f"- `{subject}`: {meaning}" for subject, meaning in SUBJECTS.items()
                       if any(subject in scenario.subjects for scenario in result["scenarios"]))
    loads = "\n".join(f"- `{scenario.name}`: {scenario.meaning}" for scenario in result["scenarios"])
    return ("# Benchmark\n\n" + "  \n".join(heading(result)) + "\n\nMedians of the rounds, in parentheses the lowest "
            "and the highest. docs/benchmarks.md says what the figures mean.\n\n" + "\n\n".join(parts)
            + "\n\n## Names\n\n" + legend + "\n\n" + loads + "\n")


def as_json(result):
    verdicts = [{"target": v.target.meaning, "bound": v.target.bound, "at_least": v.target.at_least,
                 "reached": dataclasses.asdict(v.reached) if v.reached else None, "verdict": v.word}
                for v in result["verdicts"]]
    results = [{"scenario": scenario, "subject": subject, "rounds": rounds}
               for (scenario, subject), rounds in result["measured"].items()]
    plain = {key: result[key] for key in ("machine", "versions", "load", "seconds", "rounds", "quick", "missing")}
    return {**plain, "scenarios": [dataclasses.asdict(s) for s in result["scenarios"]], "targets": verdicts,
            "results": results}
