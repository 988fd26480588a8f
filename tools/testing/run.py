"""Runs a schedule: each job in a thread of its own, all that is printed from one."""
import os
import queue
import threading
import time
import traceback
from dataclasses import dataclass

from .model import Lane, Result, failed
from .schedule import Schedule

NICE = ("nice", "-n", "10")


class Task:
    """What a job's run() is given: the way to start commands within the job's limit."""

    def __init__(self, job, processes, logs, environment):
        self.job, self.logs, self.cpu_s = job, logs, 0.0
        self._processes, self._environment = processes, environment
        self._end, self._lock = time.monotonic() + job.limit, threading.Lock()

    def file(self, ending, name=None):
        return self.logs / f"{name or self.job.name}.{ending}"

    def command(self, command, name=None, **environment):
        """Runs it with the job's log, or with that of `name`."""
        first = NICE if self.job.lane is Lane.FILL else ()
        ended = self._processes.run([*first, *map(str, command)], max(0.0, self._end - time.monotonic()),
                                    self.file("log", name), {**self._environment, **environment})
        with self._lock:
            self.cpu_s += ended.cpu_s
        return ended


@dataclass(frozen=True)
class Over:
    """A job that has ended."""
    job: object
    result: Result
    seconds: float
    cpu_s: float


def run_all(jobs, processes, screen, logs, limit_s):
    """Returns an Over for each job, in the order in which they ended. What has not ended within the limit has failed."""
    schedule, ended, done = Schedule(jobs, os.cpu_count() or 1), queue.SimpleQueue(), []
    until = time.monotonic() + limit_s
    while not schedule.is_over():
        for job in schedule.start():
            screen.started(job)
            task = Task(job, processes, logs, environment())
            threading.Thread(target=lambda task=task: ended.put(perform(task)), daemon=True).start()
        try:
            over = ended.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            processes.close()
            late = f"the whole run was to end within {limit_s} s"
            return done + [Over(job, failed(job.name, late), 0.0, 0.0) for job in schedule.left()]
        schedule.end(over.job)
        screen.ended(over)
        done.append(over)
    return done


def perform(task):
    begin = time.monotonic()
    try:
        result = task.job.run(task)
        if result.passed + len(result.failures) == 0:
            result.add(failed(task.job.name, "nothing was checked"))
    except Exception:  # pylint: disable=broad-except  # a fault of these tools has to be counted as well
        result = failed(task.job.name, traceback.format_exc())
    return Over(task.job, result, time.monotonic() - begin, task.cpu_s)


def environment():
    """Compilers go through ccache where it is installed; sanitizers end a program at the first fault."""
    path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/usr/local/sbin"
    if os.path.isdir("/usr/lib/ccache"):
        path = "/usr/lib/ccache:" + path
    defaults = {
        "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
        "TSAN_OPTIONS": "halt_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        # Without these ccache takes no precompiled header, and preprocesses what it does not know yet once more.
        "CCACHE_SLOPPINESS": "pch_defines,time_macros",
        "CCACHE_DEPEND": "1",
    }
    return {**defaults, **os.environ, "PATH": path}
