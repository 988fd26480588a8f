"""Draws the figures with gnuplot as SVG."""

import shutil

from judging import summarize, values
from processes import Failure, run_bounded, say
from scenarios import BY_PAYLOAD, SUBJECTS

STYLE = """set terminal svg size 900,480 dynamic background rgb "white" font "sans,12"
set key outside right top
set grid ytics
set border 3
set tics nomirror
"""
CURVE = (("p50", 50), ("p75", 75), ("p90", 90), ("p95", 95), ("p99", 99), ("p999", 99.9), ("p9999", 99.99))


def median(measured, scenario, subject, figure):
    summary = summarize(values(measured.get((scenario, subject)), figure))
    return summary.median if summary else None


def bars(title, unit, measured, scenarios, figure):
    """A group of bars for each scenario, one for each subject. What is missing stays empty."""
    subjects = [name for name in SUBJECTS if any(name in scenario.subjects for scenario in scenarios)]
    lines = ["\t".join(["scenario", *subjects])]
    for scenario in scenarios:
        found = [median(measured, scenario.name, subject, figure) for subject in subjects]
        lines.append("\t".join([scenario.name, *("?" if value is None else f"{value:.3f}" for value in found)]))
    columns = ", ".join(f"$data using {i + 2}" + (":xtic(1)" if i == 0 else "") + " title columnhead"
                        for i in range(len(subjects)))
    return (f'set title "{title}"\nset ylabel "{unit}"\nset style data histogram\nset style histogram cluster gap 1\n'
            'set style fill solid 0.8 noborder\nset logscale y\nset xtics rotate by -30\nset datafile missing "?"\n'
            'set datafile separator "\\t"\n$data << EOD\n' + "\n".join(lines) + f"\nEOD\nplot {columns}\n")


def lines_plot(head, series):
    """A line for each series of points; gnuplot is not asked to draw an empty one."""
    series = [(title, points) for title, points in series if points]
    if not series:
        return None
    blocks = "".join(f"$data{i} << EOD\n" + "\n".join(f"{x}\t{y:.3f}" for x, y in points) + "\nEOD\n"
                     for i, (_, points) in enumerate(series))
    return head + blocks + "plot " + ", ".join(f'$data{i} using 1:2 with linespoints lw 2 title "{title}"'
                                               for i, (title, _) in enumerate(series)) + "\n"


def latency(measured, scenarios):
    """How latency grows towards the rarest requests, at half load and when saturated."""
    series = []
    for scenario in scenarios:
        if scenario.name not in ("sink", "sink-half"):
            continue
        for subject in scenario.subjects:
            points = [(100 / (100 - share), median(measured, scenario.name, subject, f"{name}_us"))
                      for name, share in CURVE]
            load = "half load" if scenario.half_of else "saturated"
            series.append((f"{subject}, {load}", [(x, y / 1000) for x, y in points if y]))
    ticks = ", ".join(f'"{share:g} %%" {100 / (100 - share):.4f}' for _, share in CURVE)
    return lines_plot(f'set title "Latency into the sink"\nset ylabel "ms"\nset logscale xy\nset xtics ({ticks})\n'
                      'set xlabel "share of requests answered by then"\n', series)


def payloads(measured, scenarios):
    sizes = {scenario.name: scenario for scenario in scenarios}
    series = []
    for subject in SUBJECTS:
        points = [(sizes[name].payload, median(measured, name, subject, "messages_per_s")) for name in BY_PAYLOAD
                  if name in sizes]
        series.append((subject, [(x, y) for x, y in points if y]))
    return lines_plot('set title "Throughput over payload size, QoS 1, into the sink"\nset ylabel "messages/s"\n'
                      'set xlabel "bytes"\nset logscale xy\n', series)


def draw(measured, scenarios, folder):
    """Writes the plots and returns their names; those of an earlier run go in any case."""
    names = ("throughput", "cpu", "latency", "payload")
    for name in names:
        (folder / f"{name}.svg").unlink(missing_ok=True)
    if not shutil.which("gnuplot"):
        say("no plots: gnuplot is not installed; `tools/install-deps bench` installs it")
        return []
    loads = [scenario for scenario in scenarios if scenario.kind == "load" and not scenario.half_of]
    texts = (bars("Throughput", "messages/s", measured, loads, "messages_per_s") if loads else None,
             bars("CPU of the bridge", "us per message", measured, loads, "cpu_us") if loads else None,
             latency(measured, scenarios), payloads(measured, scenarios))
    drawn = []
    for name, text in zip(names, texts):
        if text is None:
            continue
        script = folder / f"{name}.gnuplot"
        script.write_text(f'{STYLE}set output "{folder / name}.svg"\n{text}', encoding="utf-8")
        status, _, errors = run_bounded(["gnuplot", str(script)], 60)
        if status != 0:
            raise Failure(f"gnuplot {script}: {errors.strip()}")
        script.unlink()
        drawn.append(f"{name}.svg")
    return drawn
