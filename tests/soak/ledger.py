"""Requests and replies of the clients: one stream for each client connection, its requests numbered from 0."""
import itertools
import time
from dataclasses import dataclass, field

ROUGH, CALM = "rough", "calm"  # the broker with all the faults, and the one without any
# The brokers whose ranges contain these devices (both bounds of a range are exclusive).
RANGES = {ROUGH: (0, 3000), CALM: (2000, 5000)}
PLACES = {"rough": range(1, 2001), "both": range(2001, 3000), "calm": range(3000, 5000), "nowhere": range(5000, 9000)}
REACHES = {"rough": (ROUGH,), "both": (ROUGH, CALM), "calm": (CALM,), "nowhere": ()}

_numbers = itertools.count(1)


@dataclass(slots=True)
class Request:
    place: str
    device: int
    qos: int
    at: float
    deadline_s: float
    reply: dict | None = None
    reply_at: float = 0.0

    def outcome_at(self, broker):
        """The client's knowledge about the delivery to this broker: "ok", "no", or "unknown"."""
        if self.reply is None:
            return "unknown"
        if self.reply.get("code") == 1:
            return "ok"
        word = self.reply.get("brokers", {}).get(broker)
        if word is None:
            return "no" if self.reply.get("published") == "no" else "unknown"
        return {"ok": "ok", "timeout": "unknown"}.get(word, "no")


@dataclass
class Stream:
    """held_s: how long a request may have to wait before sluice reads it and its deadline begins (a client that sends
    more than max_pipeline, at a blocked broker); vanished: the client has reset its connection and gets no replies."""
    kind: str
    ids: bool = True
    held_s: float = 0.0
    vanished: bool = False
    number: int = field(default_factory=lambda: next(_numbers))
    requests: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    replied: int = 0

    def add(self, request):
        self.requests.append(request)
        return len(self.requests) - 1

    def outstanding(self):
        return len(self.requests) - self.replied

    def settle(self, reply, at=None):
        """Adds a reply to its request: by its id, or to the oldest unanswered one."""
        number = reply.get("id") if self.ids else self.replied
        if not isinstance(number, int) or not 0 <= number < len(self.requests):
            self.faults.append(f"a reply that belongs to no request: {reply}")
            return
        request = self.requests[number]
        if request.reply is not None:
            self.faults.append(f"a second reply to request {number}: {reply} after {request.reply}")
            return
        request.reply, request.reply_at = reply, time.monotonic() if at is None else at
        self.replied += 1


def payload_of(stream, number, size=0):
    text = f"{stream.number} {number} "
    return text + "x" * max(0, size - len(text))


def numbers_of(payload):
    """(stream, request) of a message that a subscriber received."""
    stream, number, _ = payload.split(b" ", 2)
    return int(stream), int(number)
