"""Runs commands with a time limit, and ends what they leave behind. Each command leads a process group of its own,
which is ended by its id; no process is ever ended by its name."""
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

GRACE_S = 10  # between asking a group to end and insisting


@dataclass(frozen=True)
class Ended:
    status: int  # negative: the signal
    is_late: bool  # it was ended because its time was up
    seconds: float
    cpu_s: float


class Processes:
    def __init__(self, grace_s=GRACE_S):
        self._grace_s = grace_s
        self._groups = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def run(self, command, limit_s, log, env=None):
        """Runs the command to its end with its output in the file `log`. One that cannot be started has status 127."""
        begin = time.monotonic()
        with open(log, "ab") as output:
            try:
                group = self._begin(command, output, env)
            except OSError as error:
                output.write(f"{command[0]}: {error.strerror}\n".encode())
                return Ended(127, False, 0.0, 0.0)
            late = threading.Event()
            timer = threading.Timer(limit_s, lambda: (late.set(), self._end(group)))
            timer.start()
            status, cpu_s = self._wait(group)
            timer.cancel()
            if late.is_set():
                output.write(f"(did not end within {limit_s:.0f} s)\n".encode())
        return Ended(status, late.is_set(), time.monotonic() - begin, cpu_s)

    def close(self):
        """Ends all that runs. Nothing can be started afterwards."""
        with self._lock:
            self._is_closed = True
            groups = list(self._groups)
        enders = [threading.Thread(target=self._end, args=[group]) for group in groups]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()

    def _begin(self, command, output, env):
        with self._lock:  # close() sees each group that was started
            if self._is_closed:
                raise OSError(0, "the run is being ended")
            # pylint: disable-next=consider-using-with
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env,
                                     start_new_session=True)
            child.returncode = 0  # waited for by _wait, not by Popen
            self._groups.add(child.pid)
            return child.pid

    def _wait(self, group):
        """The first of the group is reaped last: until then the group's id cannot become another one's."""
        os.waitid(os.P_PID, group, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._groups.discard(group)
            send(group, signal.SIGKILL)
            _, status, usage = os.wait4(group, 0)
        return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def _end(self, group):
        for number, patience_s in ((signal.SIGTERM, self._grace_s), (signal.SIGKILL, self._grace_s)):
            with self._lock:
                if group not in self._groups:
                    return
                send(group, number)
            until = time.monotonic() + patience_s
            while group in self._groups and time.monotonic() < until:
                time.sleep(0.02)


def send(group, number):
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass
