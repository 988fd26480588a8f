"""The rules for violations. They use neither sockets nor clocks, so that each rule can be tested."""
import statistics
from dataclasses import dataclass

from .ledger import CALM, REACHES, ROUGH, numbers_of

# A reply may be this much later than its deadline, because of a busy machine and this program's threads.
LATE_S = 1.0
# A reply may be this much earlier: the loop's clock does not advance within a turn.
EARLY_S = 0.05
# Resident memory may grow by this share and these bytes between the first and the last third after the warm-up.
GROWTH_SHARE = 0.05
GROWTH_BYTES = 1 << 20
# With fewer calm moments after the warm-up, growth is not judged.
FEWEST_SAMPLES = 6

ALLOWED = {
    "rough": {("timeout", "unknown"), ("broker_unavailable", "no")},
    "both": {("timeout", "unknown"), ("partial", "some")},
    "calm": set(),
    "nowhere": {("no_route", "no")},
}


@dataclass(frozen=True)
class Facts:
    """A broker's cycle: whether sluice lost connections to it, and whether it lost its state."""
    connections_lost: bool = False
    forgot: bool = False


def judge_stream(stream, allowance_s=LATE_S):
    """One client connection: each request has one reply, allowed, in time, and without ids in order."""
    found = list(stream.faults)
    due = 0.0
    for number, request in enumerate(stream.requests):
        what = f"request {number} (device {request.device}, QoS {request.qos}, {request.deadline_s:g} s)"
        # Without ids a reply may wait for earlier ones.
        own = request.at + stream.held_s + request.deadline_s
        due = own if stream.ids else max(due, own)
        if request.reply is not None:
            found += [f"{what}: {fault}" for fault in judge_reply(request, due + allowance_s)]
        elif not stream.vanished:
            found.append(f"{what}: no reply")
    return [f"stream {stream.number} ({stream.kind}): {fault}" for fault in found]


def judge_reply(request, latest):
    reply = request.reply
    kind = (reply.get("error"), reply.get("published"))
    took = request.reply_at - request.at
    if reply.get("code") == 1:
        if request.place == "nowhere":
            yield f"sent although no range contains its device: {reply}"
    elif reply.get("code") != 2 or kind not in ALLOWED[request.place]:
        if request.place == "calm":
            yield f"failed although its broker was not disturbed: {reply}"
        else:
            yield f"not an allowed reply here: {reply}"
    elif request.place == "both" and reply.get("brokers", {}).get(CALM) != "ok":
        yield f"failed at the undisturbed broker: {reply}"
    elif request.place == "both" and ROUGH not in reply["brokers"]:
        yield f"does not name both brokers: {reply}"
    elif request.place != "nowhere" and took < request.deadline_s - EARLY_S:
        yield f"given up after {took:.3f} s: {reply}"
    if request.reply_at > latest:
        yield f"answered after {took:.3f} s, {request.reply_at - latest:.3f} s later than allowed: {reply}"


def judge_arrivals(broker, facts, streams, arrivals):
    """Compares the messages of one broker's subscriber, in their order, with the clients' replies."""
    by_number = {stream.number: stream for stream in streams}
    highest, seen, found = {}, {}, []
    for payload in arrivals:
        number, index = numbers_of(payload)
        stream = by_number.get(number)
        if stream is None:
            continue
        request = stream.requests[index]
        first = (number, index) not in seen
        seen[number, index] = True
        what = f"{broker}: stream {number} ({stream.kind}) request {index} (device {request.device}, QoS {request.qos})"
        if broker not in REACHES[request.place]:
            found.append(f"{what}: arrived where it does not belong")
        if request.outcome_at(broker) == "no":
            found.append(f"{what}: arrived, but its reply says that it was not published: {request.reply}")
        if not first:
            if not facts.connections_lost:
                found.append(f"{what}: arrived twice, but no connection was lost")
            continue
        key = (number, request.device, request.qos)
        before = highest.get(key, -1)
        # A message not acknowledged before its connection was lost may still arrive from the broker's buffers.
        late_is_allowed = facts.connections_lost and request.outcome_at(broker) == "unknown"
        if index < before and not late_is_allowed:
            found.append(f"{what}: arrived for the first time after request {before} of the same device and QoS")
        highest[key] = max(before, index)
    if not facts.forgot:
        found += missing(broker, streams, seen)
    return found


def missing(broker, streams, seen):
    """QoS 1 and 2 answered "ok" by a broker that kept its state: the subscriber must have received it."""
    for stream in streams:
        for index, request in enumerate(stream.requests):
            if (request.qos > 0 and broker in REACHES[request.place] and request.outcome_at(broker) == "ok"
                    and (stream.number, index) not in seen):
                yield (f"{broker}: stream {stream.number} ({stream.kind}) request {index} (device {request.device}, "
                       f"QoS {request.qos}): acknowledged, but it never arrived")


def judge_descriptors(baseline, now):
    return [] if now == baseline else [f"{now} open descriptors with no client connected, {baseline} at the start"]


def growth(samples):
    """The growth in bytes between the medians of the first and the last third of a series; None: too short."""
    if len(samples) < FEWEST_SAMPLES:
        return None
    third = len(samples) // 3
    return statistics.median(samples[-third:]) - statistics.median(samples[:third])


def allowed_growth(samples):
    return statistics.median(samples[:len(samples) // 3]) * GROWTH_SHARE + GROWTH_BYTES


def judge_memory(samples):
    """samples: resident bytes at the calm moments after the warm-up."""
    grown = growth(samples)
    if grown is None or grown <= allowed_growth(samples):
        return []
    series = " ".join(f"{sample / 1048576:.1f}" for sample in samples)
    return [f"resident memory grew by {grown / 1048576:.1f} MiB, allowed are {allowed_growth(samples) / 1048576:.1f}; "
            f"the calm moments (MiB): {series}"]


def judge_stragglers(broker, streams, arrivals):
    """Messages that arrive a cycle late must not have been answered "no"."""
    by_number = {stream.number: stream for stream in streams}
    for number, index in map(numbers_of, arrivals):
        if number in by_number and by_number[number].requests[index].outcome_at(broker) == "no":
            yield f"{broker}: stream {number} request {index}: arrived a cycle late, and its reply said: not published"
