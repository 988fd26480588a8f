"""What a run starts and ends: brokers, a delay, sluice. Everything on the loopback interface, ended by process id."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time


SATURATED_PER_S = 20000  # messages a second of a broker that cannot keep up


class Failure(Exception):
    """Something that ends the run, in words for the person in front of the screen."""


class Missing(Exception):
    """Why one subject cannot be measured here; the run goes on without it."""


def say(text):
    print(f"sluice: {text}", file=sys.stderr, flush=True)


class Processes:
    """What was started, each in a session of its own, so that it is ended from here only and with all its children."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, command, **options):
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True, **options)
        self.running.append((name, process))
        return process

    def log_of(self, name):
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return "".join(f"\n  {line}" for line in lines[-20:])

    def obituary(self):
        """The last words of those that ended by themselves, after which no measurement can succeed."""
        dead = [name for name, process in self.running if process.poll() is not None]
        return "".join(f"\n  {name} ended unexpectedly:{self.log_of(name)}" for name in dead)

    def end(self, process, how=signal.SIGTERM):
        self.running = [entry for entry in self.running if entry[1] is not process]
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end_all(self):
        while self.running:
            self.end(self.running[-1][1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(limit, process, condition):
    """True when `condition` held before `limit` seconds had passed and before `process` ended."""
    end = time.monotonic() + limit
    while time.monotonic() < end and process.poll() is None:
        if condition():
            return True
        time.sleep(0.02)
    return False


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def answers(port):
    """One message goes through: the program listens and has a connection to the broker."""
    request = b'{"device_id":1,"mqtt_topic":"bench/probe","message":"","qos":1,"timeout_ms":1000}\n'
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as probe:
            probe.settimeout(5)
            probe.sendall(request)
            return b'"code":1' in probe.recv(4096)
    except OSError:
        return False


def start_on_a_port(processes, name, command_at, is_ready, limit=10, **options):
    """`command_at(port)` is started on a free port; another program may take it before the start."""
    for _ in range(5):
        port = free_port()
        process = processes.start(name, command_at(port), **options)
        if wait_until(limit, process, lambda at=port: is_ready(at)):
            return process, port
        is_stuck = process.poll() is None
        processes.end(process)
        if is_stuck:
            break
    raise Failure(f"{name} did not start:{processes.log_of(name)}")


class Brokers:
    """A real Mosquitto, a sink, one that speaks TLS, and the sink seen from far away. Started when first asked for."""

    def __init__(self, processes, programs):
        self.processes = processes
        self.programs = programs
        self.started = {}

    def get(self, name):
        """(process, port)"""
        if name not in self.started:
            self.started[name] = getattr(self, "start_" + name.replace("-", "_"))()
        return self.started[name]

    def start_mosquitto(self):
        mosquitto = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not mosquitto:
            raise Failure("mosquitto is not installed; tools/install-deps installs it")
        conf = self.processes.folder / "mosquitto.conf"

        def command_at(port):
            lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false",
                     "max_queued_messages 0", "max_inflight_messages 0", "sys_interval 0",
                     "log_type error", "log_type warning"]
            if os.getuid() == 0:  # it would become another user, who may not read this folder
                lines.append("user root")
            conf.write_text("\n".join(lines) + "\n")
            return [mosquitto, "-c", str(conf)]

        return start_on_a_port(self.processes, "mosquitto", command_at, accepts)

    def start_sink(self):
        program = str(self.programs / "sluice-bench-sink")
        return start_on_a_port(self.processes, "sink", lambda port: [program, "--port", str(port)], accepts)

    def start_tls(self):
        program = str(self.programs / "sluice-bench-sink")
        return start_on_a_port(self.processes, "tls", lambda port: [program, "--port", str(port), "--tls"], accepts)

    def start_distant(self):
        return self.start_delay("distant", 26)

    def start_ten_ms(self):
        return self.start_delay("ten-ms", 5)

    def start_delay(self, name, delay_ms):
        program = str(self.programs / "sluice-bench-delay")
        _, sink = self.get("sink")
        return start_on_a_port(self.processes, name,
                               lambda port: [program, "--port", str(port), "--to", str(sink), "--delay-ms",
                                             str(delay_ms)], accepts)

    def start_saturated(self):
        program = str(self.programs / "sluice-bench-sink")
        return start_on_a_port(self.processes, "saturated",
                               lambda port: [program, "--port", str(port), "--per-second", str(SATURATED_PER_S)],
                               accepts)

    def end_sink(self, name="sink"):
        """Ends a sink and returns what it says of its messages; None when there is nothing."""
        if name not in self.started:
            return None
        process, _ = self.started.pop(name)
        self.processes.end(process)
        lines = (self.processes.folder / f"{name}.log").read_text().splitlines()
        return json.loads(lines[-1]) if lines and process.returncode == 0 else None


def sluice_toml(port, broker_port, scenario, max_inflight):
    """The defaults, but for what the scenario would not fit into."""
    lines = ["[server]", f'listen = ["tcp://127.0.0.1:{port}"]']
    if scenario.clients > 1000:
        lines.append(f"max_connections = {scenario.clients + 100}")
    if scenario.payload > 1_000_000:
        lines += ["", "[limits]", f"max_request_bytes = {scenario.payload * 2}"]
    lines += ["", "[log]", 'level = "warn"', "", "[admin]", 'listen = ""', "", "[[broker]]", 'name = "bench"',
              f'url = "{"mqtts" if scenario.broker == "tls" else "mqtt"}://127.0.0.1:{broker_port}"', "min_dev_no = 0",
              "max_dev_no = 1000000", f"connections = {scenario.links}"]
    if scenario.broker == "tls":
        lines.append("tls = { insecure = true }")  # the sink makes its certificate itself
    if max_inflight:
        lines.append(f"max_inflight = {max_inflight}")
    return "\n".join(lines) + "\n"


def start_sluice(processes, name, binary, broker_port, scenario, max_inflight=None):
    conf = processes.folder / f"{name}.toml"

    def command_at(port):
        conf.write_text(sluice_toml(port, broker_port, scenario, max_inflight))
        return [str(binary), "serve", "-c", str(conf)]

    return start_on_a_port(processes, name, command_at, answers, 15)


def start_floor(processes, programs, broker_port, scenario):
    def command_at(port):
        return [str(programs / "sluice-bench-floor"), "--port", str(port), "--to", str(broker_port), "--connections",
                str(scenario.links)]

    return start_on_a_port(processes, "floor", command_at, answers)


def run_bounded(command, limit, **options):
    """Output of a program that is ended with all its children when it takes too long or this one is ended."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True, **options)
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{pathlib.Path(command[0]).name} did not end within {limit:.0f} s") from late
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, out, err
