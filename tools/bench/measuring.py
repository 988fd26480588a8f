"""Puts one subject under the load of one scenario and returns its figures."""

import json
import pathlib
import re
import shutil
import signal
import socket

import judging
from peers import Peers
from processes import Brokers, Failure, Missing, run_bounded, start_floor, start_sluice, wait_until
from scenarios import BASELINES, NPM_PEERS, quick_messages

OWN_PROGRAM = {"limit": "sluice-bench-direct", "limit-batched": "sluice-bench-direct",
               "blocking": "sluice-bench-one-by-one"}
TRACED_REQUESTS = 20000
BEHIND = {"ten-ms": "sink", "distant": "sink"}  # the program that takes the messages, where it has another name
COUNTING_SINKS = ("sink", "tls")


def memory_kib(pid, field):
    """VmRSS or VmHWM (its peak) of a process."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return None


def parse_calls(text):
    """Name and number of calls from what `strace -c` prints."""
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and re.fullmatch(r"[0-9.]+", words[0]) and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


class Measuring:
    def __init__(self, processes, programs, binaries, folder, is_quick, seconds):
        self.processes = processes
        self.programs = programs
        self.binaries = binaries  # "sluice" and, with --vs, "other"
        self.brokers = Brokers(processes, programs)
        self.is_quick = is_quick
        self.peers = Peers(processes, folder, may_install=not is_quick)
        self.seconds = seconds
        self.best_window = {}  # by scenario and subject
        self.acknowledged = dict.fromkeys(COUNTING_SINKS, 0)

    def measure(self, scenario, subject, rate=None):
        """The figures of one run; raises Missing."""
        if subject in BASELINES:
            if scenario.kind == "calls":
                return self.trace_publisher(scenario)
            return self.measure_publisher(scenario, subject, rate)
        if subject == "fixed":
            return self.best_of(scenario, subject,
                                lambda window: self.measure_bridge(scenario, subject, rate, window))
        return self.measure_bridge(scenario, subject, rate)

    def measure_bridge(self, scenario, subject, rate, max_inflight=None):
        _, broker_port = self.brokers.get(scenario.broker)
        process, port = self.start(subject, broker_port, scenario, max_inflight)
        try:
            if scenario.kind == "idle":
                return self.idle_memory(process, port, scenario.clients)
            if scenario.kind == "calls":
                return self.trace_bridge(process, port, scenario)
            options = [*self.load_of(scenario, rate), "--watch", f"bridge={process.pid}"]
            raw = self.load("sluice-bench", port, options, scenario, subject)
            raw["peak_mib"] = memory_kib(process.pid, "VmHWM") / 1024
        finally:
            self.processes.end(process)
            waits = self.brokers.end_sink("saturated")  # each measurement has one of its own
        figures = judging.figures_of(raw)
        if scenario.broker == "saturated":
            figures.update(judging.waits_of((waits or {}).get("waited_ms", [])))
        return figures

    def start(self, subject, broker_port, scenario, max_inflight):
        if subject == "fixed":
            return start_sluice(self.processes, subject, self.binaries["sluice"], broker_port, scenario, max_inflight)
        if subject in self.binaries:
            return start_sluice(self.processes, subject, self.binaries[subject], broker_port, scenario)
        if subject == "floor":
            return start_floor(self.processes, self.programs, broker_port, scenario)
        return self.peers.start(subject, broker_port, scenario)

    @staticmethod
    def load_of(scenario, rate):
        options = ["--connections", str(scenario.clients), "--window", str(scenario.window)]
        return options + (["--rate", f"{rate:.2f}"] if rate else [])

    def measure_publisher(self, scenario, subject, rate):
        _, port = self.brokers.get(scenario.broker)

        def measured_with(window):
            options = ["--connections", str(scenario.links), "--window", str(window)]
            options += ["--rate", f"{rate:.2f}"] if rate else []
            options += ["--batched"] if subject == "limit-batched" else []
            raw = self.load(OWN_PROGRAM[subject], port, options, scenario, subject)
            raw["peak_mib"] = raw["own_peak_mib"]
            return judging.figures_of(raw, "generator")

        return measured_with(1) if subject == "blocking" else self.best_of(scenario, subject, measured_with)

    def best_of(self, scenario, subject, measured_with):
        """The figures with the window that serves best; which one that is, is found out once."""
        key = (scenario.name, subject)
        best = None
        for window in (self.best_window[key],) if key in self.best_window else scenario.link_windows:
            figures = {**measured_with(window), "link_window": window}
            if best is None or (figures["messages_per_s"] or 0) > (best["messages_per_s"] or 0):
                best = figures
        self.best_window[key] = best["link_window"]
        return best

    def load(self, program, port, options, scenario, subject):
        """The generator's JSON."""
        name = BEHIND.get(scenario.broker, scenario.broker)
        broker, _ = self.brokers.get(name)
        # JavaScript is compiled while it runs.
        warm_up = max(1.0 if subject in NPM_PEERS else 0, scenario.warm_up, self.seconds / 3)
        length = ["--seconds", str(self.seconds), "--warm-up", f"{warm_up:.2f}"]
        if self.is_quick:
            length = ["--messages", str(quick_messages(scenario, subject))]
        command = [str(self.programs / program), "--to", f"127.0.0.1:{port}", *length, "--grace", "60", "--json",
                   "--qos", str(scenario.qos), "--payload", str(scenario.payload), "--watch",
                   f"broker={broker.pid}", *options]
        _, out, err = run_bounded(command, self.seconds + warm_up + 90)
        if not out.startswith("{"):
            raise Failure(f"{' '.join(command)}\n  {err.strip() or 'ended without a result'}")
        raw = json.loads(out)
        if name in COUNTING_SINKS:
            self.acknowledged[name] += raw["answered"] - sum(raw["errors"].values())
        return raw

    def idle_memory(self, process, port, clients):
        """What each of many clients that have been served once adds to the resident memory."""
        request = b'{"device_id":7,"mqtt_topic":"dev/7/cmd","message":"open","qos":1}\n'
        sockets = []

        def serve(count):
            for _ in range(count):
                sockets.append(socket.create_connection(("127.0.0.1", port), 10))
                sockets[-1].settimeout(30)
                sockets[-1].sendall(request)
            for one in sockets[-count:]:
                if not one.recv(4096):
                    raise Failure("a silent client was disconnected")

        try:
            serve(100)  # what the first clients of a process cost besides
            before = memory_kib(process.pid, "VmRSS")
            for _ in range(clients // 100):
                serve(100)
            after = memory_kib(process.pid, "VmRSS")
        finally:
            for one in sockets:
                one.close()
        return {"idle_kib": (after - before) / (clients // 100 * 100), "idle_mib": after / 1024}

    def trace_bridge(self, process, port, scenario):
        if not shutil.which("strace"):
            raise Missing("strace is not installed; `tools/install-deps bench` installs it")
        calls = self.processes.folder / "calls"
        tracer = self.processes.start("strace", ["strace", "-c", "-f", "-o", str(calls), "-p", str(process.pid)])
        try:
            attached = (self.processes.folder / "strace.log")
            if not wait_until(5, tracer, lambda: "attached" in attached.read_text()):
                raise Missing("strace may not attach here:" + self.processes.log_of("strace"))
            status, _, err = run_bounded(self.traced_load("sluice-bench", port, self.load_of(scenario, None)), 120)
        finally:
            self.processes.end(tracer, signal.SIGINT)
        return self.calls_of(calls, status, err)

    def trace_publisher(self, scenario):
        _, port = self.brokers.get(scenario.broker)
        if not shutil.which("strace"):
            raise Missing("strace is not installed; `tools/install-deps bench` installs it")
        calls = self.processes.folder / "calls"
        options = ["--connections", str(scenario.links), "--window", str(scenario.link_windows[0])]
        status, _, err = run_bounded(["strace", "-c", "-f", "-o", str(calls),
                                      *self.traced_load("sluice-bench-direct", port, options)], 120)
        return self.calls_of(calls, status, err)

    def traced_load(self, program, port, options):
        return [str(self.programs / program), "--to", f"127.0.0.1:{port}", "--messages", str(TRACED_REQUESTS), "--qos",
                "1", "--grace", "60", "--json", *options]

    def calls_of(self, file, status, err):
        if status != 0:
            raise Missing(f"the traced load failed: {err.strip()}")
        self.acknowledged["sink"] += TRACED_REQUESTS
        found = parse_calls(file.read_text())
        if not found:
            raise Missing("strace counted nothing")
        by_name = {name: count / TRACED_REQUESTS for name, count in found.items() if count >= TRACED_REQUESTS / 1000}
        return {"calls": sum(found.values()) / TRACED_REQUESTS, "calls_by_name": by_name}

    def check_sinks(self):
        """What was answered as acknowledged has to have been there: each sink's own count is asked."""
        for name, acknowledged in self.acknowledged.items():
            counted = (self.brokers.end_sink(name) or {}).get("messages")
            if acknowledged and (counted is None or counted < acknowledged):
                raise Failure(f"{acknowledged} messages were acknowledged, but the broker {name} took {counted}")
