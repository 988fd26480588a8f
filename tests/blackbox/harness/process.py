"""A child process whose output is collected, and which is always ended by its process id."""
import os
import select
import signal
import subprocess
import threading
from pathlib import Path

from .waiting import BOUND_S, wait_until


class Process:
    def __init__(self, arguments, env=None, cwd=None):
        self._child = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, cwd=cwd)
        self._chunks, self._ended = [], False
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _poll(self):
        written = select.poll()
        written.register(self._child.stdout, select.POLLIN)
        return written

    def _collect(self):
        written = self._poll()
        while not self._ended:
            written.poll()
            self._take_written()

    def _take_written(self):
        """Everything that the child has written so far."""
        with self._lock:
            while not self._ended and self._poll().poll(0):
                chunk = os.read(self._child.stdout.fileno(), 65536)
                self._chunks.append(chunk)
                self._ended = not chunk

    @property
    def pid(self):
        return self._child.pid

    def output(self):
        """Everything written so far, standard output and standard error together."""
        self._take_written()
        return b"".join(self._chunks).decode("utf-8", "replace")

    def is_running(self):
        return self._child.poll() is None

    def signal(self, number):
        if self.is_running():
            os.kill(self._child.pid, number)

    def freeze(self):
        """Returns once the process is stopped: on a busy machine it may run for a while after the signal."""
        self.signal(signal.SIGSTOP)
        wait_until(lambda: not self.is_running() or self._state() == "T", lambda: f"{self.pid} stands still", pause_s=0)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def _state(self):
        return Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]

    def wait(self, bound_s=BOUND_S):
        """Waits for the end and returns the exit status (negative: the signal)."""
        wait_until(lambda: not self.is_running(), lambda: f"the end of process {self.pid}\n{self.output()}", bound_s)
        self._reader.join(5)
        with self._lock:
            self._ended = True
            self._child.stdout.close()
        return self._child.returncode

    def kill(self):
        """Kills it; does nothing if it has ended."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self._child.wait()
