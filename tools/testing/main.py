"""tools/test hands over to this when all packages are there."""
import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testing.builds import ROOT  # noqa: E402
from testing.changes import NoGit  # noqa: E402
from testing.plan import UsageError, plan, usage  # noqa: E402
from testing.processes import Processes  # noqa: E402
from testing.run import run_all  # noqa: E402
from testing.screen import Screen  # noqa: E402

LOGS = ROOT / "build/test-logs"
LOCK = ROOT / "build/test.lock"
LIMIT_S = 85 * 60  # of the whole run, so that it comes to its last line


def main(arguments):
    try:
        jobs, notes = plan(arguments)
    except (UsageError, NoGit) as error:
        print(f"tools/test: {error}; see tools/test --help", file=sys.stderr)
        return 2
    if jobs is None:
        print(usage())
        return 0
    os.chdir(ROOT)
    if not is_alone():
        print("tools/test: another one runs in this checkout", file=sys.stderr)
        return 2
    screen = Screen()
    for note in notes:
        screen.say(f"sluice: {note}")
    return 1 if perform(jobs, screen) else 0


def is_alone():
    """Two runs would build in the same folders. The lock ends with this process."""
    LOCK.parent.mkdir(exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def perform(jobs, screen):
    """Runs the jobs and prints the summary; returns how many failures there were."""
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    processes = Processes()
    try:
        return screen.summary(run_all(jobs, processes, screen, LOGS, LIMIT_S))
    finally:
        processes.close()


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(number, _frame):
    """perform() ends all that runs, undisturbed."""
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    os.write(1, f"sluice: {signal.Signals(number).name}: ending what runs\n".encode())
    sys.exit(128 + number)


if __name__ == "__main__":
    for signal_number in STOPPING:
        signal.signal(signal_number, stop)
    sys.exit(main(sys.argv[1:]))
