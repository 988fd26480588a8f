"""The program under test: its configuration as a dict, its start, its exit, and its log."""
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import subprocess
import threading
from pathlib import Path

from . import net
from .client import Client
from .process import Process
from .waiting import BOUND_S, wait_until

SANITIZER_REPORT = re.compile(
    r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|LeakSanitizer:|runtime error:|WARNING: ThreadSanitizer")
TOOK_TOO_LONG = "the request took longer than request_timeout_ms"


def binary():
    path = os.environ.get("SLUICE_BIN")
    assert path and Path(path).is_file(), "SLUICE_BIN must name the binary under test"
    return path


def is_sanitized():
    return os.environ.get("SLUICE_SANITIZED") == "1"


def environment(**more):
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1",
            "TSAN_OPTIONS": "halt_on_error=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", **more}


def without(closed):
    """The beginning of a command that runs with these descriptors closed, such as ["<&-", "2>&-"]."""
    return ["sh", "-c", f'exec "$0" "$@" {" ".join(closed)}'] if closed else []


def run(*arguments, env=None, cwd=None, stdin=None):
    """Runs a command to its end: (exit status, output and error output together)."""
    done = subprocess.run([binary(), *arguments], env=environment(**(env or {})), cwd=cwd, timeout=2 * BOUND_S,
                          input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    text = done.stdout.decode("utf-8", "replace")
    assert not SANITIZER_REPORT.search(text), text
    return done.returncode, text


def run_apart(*arguments, text=None):
    """As run(), with the two outputs kept apart and `text` on standard input."""
    done = subprocess.run([binary(), *arguments], env=environment(), timeout=2 * BOUND_S, capture_output=True,
                          input=text or "", encoding="utf-8", check=False)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    return done


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def toml(config):
    """TOML text of {table: {key: value}, array of tables: [{...}]}; "server.tls" is a table's name too."""
    lines = []
    for name, content in config.items():
        many = isinstance(content, list)
        for table in content if many else [content]:
            lines.append(f"[[{name}]]" if many else f"[{name}]")
            lines += [f"{key} = {toml_value(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


def broker_table(broker, name="main", low=0, high=1000000, **more):
    """A [[broker]] table for a Broker, a Relay or a url; few connections and quick retries by default."""
    url = broker if isinstance(broker, str) else broker.url
    return {"name": name, "url": url, "min_dev_no": low, "max_dev_no": high, "connections": 4,
            "reconnect_min_ms": 50, "reconnect_max_ms": 500, **more}


class Sluice:
    """Started by start(); `brokers` are [[broker]] tables, the other arguments tables of the same name."""

    def __init__(self, folder, brokers, server=None, log=None, admin=True, listen=None, **tables):
        self._folder = folder
        self.port = net.free_port()
        self.admin_host = "127.0.0.1"
        self.admin_port = net.free_port() if admin else None
        self.expected_exit = 0
        self._sockets = []
        self._process = None
        self._exit = None
        self.listen = listen or [f"tcp://127.0.0.1:{self.port}"]
        self.config = {
            "server": {"listen": self.listen, "drain_timeout_ms": 5000, **(server or {})},
            # Requests must not time out only because the machine is busy.
            "defaults": {"publish_timeout_ms": 60000},
            **tables,
            "log": {"level": "debug", **(log or {})},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}" if admin else ""},
            "broker": brokers,
        }
        self.file = folder / f"sluice-{self.port}.toml"
        self.write_config()

    def write_config(self, text=None):
        """Replaces the file atomically by `config` (or the text): sluice watches it and must not read a part of it."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(toml(self.config) if text is None else text, encoding="utf-8")
        fresh.rename(self.file)

    # --- reload
    def reloads(self):
        """The numbers of reloads applied and rejected; from the log while the admin interface is off."""
        if self.admin_port is None:
            log = self.log()
            return log.count("configuration reloaded: "), log.count("reload rejected, ")
        found = self.status()["config_reloads"]
        return found["ok"], found["refused"]

    def reload(self, refused=False, text=None):
        """Writes `config` (or the text) to the file, sends SIGHUP, and waits until it is applied or rejected. sluice
        is frozen meanwhile, or it could find the changed file before the signal and read it twice."""
        before = self.reloads()
        with self.frozen():
            self.write_config(text)
            self.send_sighup()
        if not refused:
            self._follow_admin()
        self.wait_for_reloads(before[0] + (not refused), before[1] + refused)

    def _follow_admin(self):
        """Uses the admin address of `config`, or none."""
        port = int(self.config["admin"]["listen"].rpartition(":")[2] or 0) or None
        if port not in (None, self.admin_port):
            self.admin_port = port
            self.wait_for_status("/healthz", 200)
        self.admin_port = port

    def send_sighup(self):
        self.signal(signal.SIGHUP)

    @contextlib.contextmanager
    def frozen(self):
        self._process.freeze()
        try:
            yield
        finally:
            self._process.thaw()

    def wait_for_reloads(self, done, refused=0):
        """Waits for at least this many."""
        def there():
            now = self.reloads()
            return now[0] >= done and now[1] >= refused
        # The log grows under load: searching it often would cost more than waiting.
        wait_until(there,
                   lambda: f"{done} reloads, {refused} refused; now {self.reloads()}\n{self.log()[-4000:]}",
                   pause_s=0.01 if self.admin_port else 0.05)

    def status(self):
        return json.loads(self.http("/status")[1])

    def broker_status(self, name="main"):
        """One broker's entry in /status; None if it has none."""
        return next((each for each in self.status()["brokers"] if each["name"] == name), None)

    def wait_for_connections(self, count, name="main"):
        """Waits until this many connections are up, and there are no others."""
        def there():
            slots = self.broker_status(name)["connections"]
            return len(slots) == count and all(slot["state"] == "Ready" for slot in slots)
        wait_until(there, lambda: f"{count} connections to {name}: {self.broker_status(name)}")

    @property
    def pid(self):
        return self._process.pid

    def start(self, until="ready", env=None, descriptors=None, arguments=(), closed=()):
        """until: "ready" (every broker has a connection), "alive" (it serves, with or without brokers) or
        None (no waiting). descriptors: its hard limit of open files. arguments: further ones of serve.
        closed: see without()."""
        self._exit = None
        limited = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []
        self._process = Process([*limited, *without(closed), binary(), "serve", "-c", str(self.file), *arguments],
                                env=environment(**(env or {})))
        if until == "ready":
            self.wait_for_status("/readyz", 200)
        elif until == "alive":
            self.wait_for_status("/healthz", 200)
        return self

    def log(self):
        return self._process.output()

    def wait_for_log(self, pattern):
        expression = re.compile(pattern, re.IGNORECASE)
        return wait_until(lambda: expression.search(self.log()),
                          lambda: f"/{pattern}/ in the log:\n{self.log()[-4000:]}")

    def start_clock(self):
        """Sends the beginning of a request: its request_timeout_ms bounds what follows; see assert_in_time."""
        client = self.client()
        client.send_raw(b"{")
        client.wait_until_read()

    def assert_in_time(self, pattern):
        """A line with `pattern` is in the log before that request has timed out. sluice's own clock measures both, so
        time in which a busy machine does not run it counts for both."""
        self.wait_for_log(pattern)
        before = re.split(pattern, self.log(), maxsplit=1, flags=re.IGNORECASE)[0]
        assert TOOK_TOO_LONG not in before, f"/{pattern}/ came too late:\n{before[-4000:]}"

    def is_running(self):
        return self._process is not None and self._exit is None and self._process.is_running()

    def _memory(self, key):
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(key + r":\s+(\d+) kB", text)[1]) * 1024

    def resident_bytes(self):
        return self._memory("VmRSS")

    def peak_resident_bytes(self):
        return self._memory("VmHWM")

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def limit_descriptors(self, count):
        """Lowers the limit of the running process; returns the former one."""
        soft, _ = former = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (min(count, soft), former[1]))
        return former

    def restore_descriptors(self, former):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, former)

    def processor_seconds(self):
        """Of all threads, in user and in system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- the admin interface
    def http(self, path, method="GET"):
        """(status, body), or (None, reason) while nothing answers."""
        connection = http.client.HTTPConnection(self.admin_host, self.admin_port, timeout=BOUND_S)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except OSError as error:
            return None, str(error)
        finally:
            connection.close()

    def wait_for_status(self, path, status):
        answer = None

        def there():
            nonlocal answer
            assert self._process.is_running(), f"it ended early:\n{self.log()}"
            answer = self.http(path)
            return answer[0] == status
        wait_until(there, lambda: f"{path} answers {status}, not {answer}; the log:\n{self.log()[-4000:]}")

    # --- its clients
    def client(self, **more):
        """A new connection to the first listener, closed with the test."""
        client = Client(more.pop("address", ("127.0.0.1", self.port)), is_paused=self._is_paused, **more)
        self._sockets.append(client)
        return client

    def _is_paused(self, client):
        """/status lists the clients paused longest."""
        host, port = client.socket.getsockname()
        clients = self.status()["clients"]
        assert clients["paused"] <= len(clients["paused_longest"]), "more are paused than are named"
        return any(paused["peer"] == f"{host}:{port}" for paused in clients["paused_longest"])

    # --- exit
    def signal(self, number):
        self._process.signal(number)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def kill(self):
        """Ends it with SIGKILL, like a crash."""
        self.signal(signal.SIGKILL)
        self._exit = self._process.wait()
        self.expected_exit = -signal.SIGKILL

    def wait(self):
        """Waits until it exits; returns the exit status."""
        self._exit = self._process.wait()
        self.assert_clean()
        return self._exit

    def stop(self):
        """Closes its clients first, so that it need not wait for them."""
        for client in self._sockets:
            client.close()
        self.terminate()
        return self.wait()

    def assert_clean(self):
        found = SANITIZER_REPORT.search(self.log())
        assert not found, self.log()[max(0, found.start() - 500):found.start() + 6000]

    def close(self):
        """Called at the end of the test: sluice must still run, or have exited as the test expected."""
        for client in self._sockets:
            client.close()
        if self._process is None:
            return
        try:
            if self._exit is None:
                running = self._process.is_running()
                if running:
                    self.terminate()
                self._exit = self._process.wait()
                self.assert_clean()
                assert running, f"it ended unexpectedly with {self._exit}:\n{self.log()[-4000:]}"
            assert self._exit == self.expected_exit, f"exit {self._exit}:\n{self.log()[-4000:]}"
        finally:
            self._process.kill()


def in_threads(work, arguments):
    """Runs work(argument) in a thread for each argument; returns the results, raises the first failure."""
    results, faults = [None] * len(arguments), []

    def run_one(index):
        try:
            results[index] = work(arguments[index])
        except BaseException as fault:  # pylint: disable=broad-except
            faults.append(fault)

    threads = [threading.Thread(target=run_one, args=(i,), daemon=True) for i in range(len(arguments))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * BOUND_S)
        assert not thread.is_alive(), "a client thread did not end"
    if faults:
        raise faults[0]
    return results
