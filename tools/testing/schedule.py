"""Which job starts when. Knows no processes and no clock, so that its rules can be tested in an instant."""
from .model import Lane


class Schedule:
    def __init__(self, jobs, cores):
        self._waiting = {job.name: job for job in jobs}
        self._running = {}
        self._room = {Lane.FILL: 1, Lane.TEST: max(1, cores), Lane.ALONE: 1}
        self._ranks = ranks(jobs)

    def start(self):
        """The jobs to start now; they count as running until end()."""
        started = [job for job in self._by_rank() if job.lane is not Lane.ALONE and self._take(job)]
        if not self._running:  # nothing else runs or could
            started += [job for job in self._by_rank() if not started and self._take(job)][:1]
        return started

    def end(self, job):
        del self._running[job.name]

    def is_over(self):
        return not self._waiting and not self._running

    def left(self):
        """The jobs that have not ended."""
        return [*self._running.values(), *self._waiting.values()]

    def _by_rank(self):
        return sorted(self._waiting.values(), key=lambda job: -self._ranks[job.name])

    def _take(self, job):
        busy = [other.lane for other in self._running.values()]
        unfinished = self._waiting.keys() | self._running.keys()
        if Lane.ALONE in busy or busy.count(job.lane) >= self._room[job.lane] or unfinished & set(job.after):
            return False
        self._running[job.name] = self._waiting.pop(job.name)
        return True


def ranks(jobs):
    """The highest starts first. Among tests the longest; among those that fill, which have one lane, the one after which
    tests take longest: what nothing waits for can be done while the last tests run."""
    def waits_for(job):
        return max((other.takes + waits_for(other) for other in jobs if other.lane is Lane.TEST and job.name in other.after),
                   default=0)
    return {job.name: waits_for(job) + (0 if job.lane is Lane.FILL else job.takes) for job in jobs}


def with_needs(chosen, jobs):
    """The jobs of these names and all that they wait for, in the order of the table."""
    wanted, by_name = list(chosen), {job.name: job for job in jobs}
    for name in wanted:
        wanted += [need for need in by_name[name].after if need not in wanted]
    return [job for job in jobs if job.name in wanted]
