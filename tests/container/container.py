"""Runs an image's command like a container engine: process 1 of a new process namespace, in the image's root file
system, read only, as the image's user and without any capability."""
import http.client
import os
import signal
import subprocess
from pathlib import Path

from harness.client import Client
from harness.process import Process
from harness.waiting import BOUND_S, wait_until

# "$root", "$user", "$group", number of mounts, mounts as SOURCE TARGET, then the command with its environment.
START = """
root=$1 user=$2 group=$3 mounts=$4
shift 4
mount --bind "$root" "$root"
while [ "$mounts" -gt 0 ]; do
  mount --bind "$1" "$root$2"
  mount -o remount,bind,ro "$root$2"
  mounts=$((mounts - 1))
  shift 2
done
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
exec chroot "$root" /usr/bin/setpriv --reuid="$user" --regid="$group" --clear-groups --bounding-set=-all \
  --no-new-privs -- /usr/bin/env -i "$@"
"""


class Container:
    """mounts: {file: path in the container}; arguments: instead of the image's CMD."""

    def __init__(self, image, environment=None, mounts=None, arguments=None):
        self._image = image
        self._clients = []
        stage = image.stage
        self._user, self._group = stage.user().split(":")
        command = stage.command() if arguments is None else [*stage.command()[:1], *arguments]
        binds = [str(word) for pair in (mounts or {}).items() for word in pair]
        self._environment = [f"{name}={value}" for name, value in {**stage.environment(), **(environment or {})}.items()]
        self._process = Process([
            "setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child",
            "/bin/sh", "-euc", START, "start", str(image.root), self._user, self._group, str(len(mounts or {})),
            *binds, *self._environment, *command])

    @property
    def pid(self):
        """The process id of its process 1, seen from outside."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    status = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                except OSError:
                    continue
                if int(status.rpartition(")")[2].split()[1]) == self._process.pid:
                    return int(folder.name)
        raise AssertionError(f"it has ended:\n{self.log()}")

    def status(self):
        """/proc/PID/status of process 1: {"Uid": "…", …}."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def log(self):
        return self._process.output()

    def http(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", 9580, timeout=BOUND_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def wait_for(self, path):
        def answers():
            assert self._process.is_running(), f"it has ended:\n{self.log()}"
            return self.http(path) == 200
        wait_until(answers, lambda: f"{path} answers 200; the log:\n{self.log()}")
        return self

    def client(self):
        client = Client(("127.0.0.1", 9501))
        self._clients.append(client)
        return client

    def execute(self, command):
        """Runs a command beside process 1, like `docker exec`: (exit status, output)."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--root", "--wd", f"--setuid={self._user}",
             f"--setgid={self._group}", "--", "/usr/bin/env", "-i", *self._environment, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BOUND_S,
            check=False)
        return done.returncode, done.stdout

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self):
        """Sends the first signal of `docker stop`."""
        self.signal(signal.Signals[self._image.stage.settings["STOPSIGNAL"]])

    def wait(self):
        return self._process.wait()

    def close(self):
        for client in self._clients:
            client.close()
        if self._process.is_running():
            try:
                self.signal(signal.SIGKILL)
                self._process.wait()
            finally:
                self._process.kill()
