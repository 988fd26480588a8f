"""All that tools/test prints."""
import sys
import time

SLOWEST = 10
REASONS = 5  # why cases were skipped, for each job
TEXTS = 20  # of failures, for each job; what the others say is in the logs


def minutes(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def cases(number):
    return f"{number} case" if number == 1 else f"{number} cases"


class Screen:
    """Lines while jobs run: the time since the beginning, the job, what happened."""

    def __init__(self, out=sys.stdout, clock=time.monotonic):
        self._out, self._clock, self._begin = out, clock, clock()

    def say(self, text):
        print(text, file=self._out, flush=True)

    def started(self, job):
        self.say(f"{self._now()}  {job.name}: started")

    def ended(self, over):
        result = over.result
        counts = f"{result.passed} passed, {len(result.failures)} failed"
        if result.skipped:
            counts += f", {result.skipped} skipped"
        self.say(f"{self._now()}  {over.job.name}: {counts} in {minutes(over.seconds)} (CPU {minutes(over.cpu_s)})")
        for reason in result.reasons[:REASONS]:
            self.say(f"         skipped: {reason}")
        for number, failure in enumerate(result.failures):
            self.say(f"         FAILED {failure.name}")
            for line in failure.text.splitlines() if number < TEXTS else ():
                self.say(f"           {line}")

    def summary(self, overs):
        """The steps by their time, what failed, the slowest cases and, last, the counts. Returns how many failed."""
        self.say(f"\nall took {minutes(self._clock() - self._begin)}; the steps:")
        for over in sorted(overs, key=lambda over: -over.seconds):
            self.say(f"  {minutes(over.seconds):>5}  CPU {minutes(over.cpu_s):>5}  {over.job.name}")
        failures = [failure for over in overs for failure in over.result.failures]
        if failures:
            self.say("\nfailed:")
        for failure in failures:
            self.say(f"  {failure.name}")
        timed = sorted((case for over in overs for case in over.result.cases), key=lambda case: -case.seconds)
        if timed:
            self.say(f"\nthe slowest of {cases(len(timed))}:")
        for case in timed[:SLOWEST]:
            self.say(f"  {case.seconds:5.1f} s  {case.name}")
        self.say(f"{sum(over.result.passed for over in overs)} passed, {len(failures)} failed")
        return len(failures)

    def _now(self):
        return f"{minutes(self._clock() - self._begin):>6}"
