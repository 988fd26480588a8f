"""A job of tools/test and what it came to."""
import enum
from dataclasses import dataclass, field
from typing import Callable, NamedTuple


class Lane(enum.Enum):
    """What may run at the same time."""
    FILL = "fill"    # uses all cores (builds, clang-tidy, fuzzers): one at a time, with low priority
    TEST = "test"    # mostly waits: as many as there are cores, beside one that fills
    ALONE = "alone"  # judges memory or time: beside nothing, after all others that can run


class Mode(enum.Enum):
    """Which run takes the job; --only takes any."""
    PLAIN = "always"
    FULL = "--full"
    ASKED = "--only"


class Failure(NamedTuple):
    name: str
    text: str = ""


class Case(NamedTuple):
    name: str
    seconds: float


@dataclass
class Result:
    passed: int = 0
    failures: list = field(default_factory=list)
    skipped: int = 0
    reasons: list = field(default_factory=list)  # why cases were skipped
    cases: list = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures
        self.reasons += [reason for reason in other.reasons if reason not in self.reasons]
        self.cases += other.cases


@dataclass(frozen=True)
class Job:
    name: str
    what: str  # one line for --help
    takes: int  # seconds on two idle cores, for --help and the order
    limit: int  # seconds after which it is ended and has failed
    run: Callable  # given a Task, returns a Result
    after: tuple = ()  # builds that have to be over; if one has failed, its programs are missing, and that is a failure
    lane: Lane = Lane.TEST
    mode: Mode = Mode.PLAIN


def failed(name, text=""):
    return Result(failures=[Failure(name, text)])
