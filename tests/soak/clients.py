"""The clients: long-lived ones that pipeline, ones that come and go, ones that reset their connection.

Each kind is a function of a Crowd and its own random numbers; it runs in its own thread until the crowd
stops, and adds a Stream for each connection.
"""
import socket
import struct
import threading
import time
import traceback

from .ledger import PLACES, Request, Stream, payload_of
from harness.client import Client, encode, frame, request as request_of

DEADLINE_S = 4.0  # publish_timeout_ms of the configuration
MAX_PIPELINE = 64  # and its max_pipeline
DEVICES = {place: 24 for place in PLACES}
# Short deadlines only where disturbances let some of them expire: a busy machine must not fail the calm broker.
SHORT_S = {"rough": (0.3, 0.8, 1.5), "both": (1.5, 2.5)}
WEIGHTS = {"rough": 5, "both": 2, "calm": 3}
ORDERED = {**WEIGHTS, "nowhere": 1}  # without ids, replies that differ show that the order is kept
DRAIN_S = 30


class Crowd:
    """Shared by the clients of one cycle: sluice's addresses, the end of the load, the streams."""

    def __init__(self, address, unix_path):
        self.address = address
        self.unix_path = unix_path
        self.streams = []
        self.broken = []  # exceptions in a client itself
        self._stop = threading.Event()
        self._threads = []

    def start(self, kinds, random_of):
        for index, kind in enumerate(kinds):
            thread = threading.Thread(target=self._run, args=(kind, random_of(index)), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _run(self, kind, rng):
        try:
            while not self.stopping():
                kind(self, rng)
        except Exception:  # pylint: disable=broad-except
            self.broken.append(f"{kind.__name__}: {traceback.format_exc()}")

    def stopping(self):
        return self._stop.is_set()

    def pause(self, seconds):
        self._stop.wait(seconds)

    def stop(self):
        """Waits until every client has its last reply; returns the number of clients that did not end."""
        self._stop.set()
        end = time.monotonic() + 2 * DRAIN_S
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return sum(thread.is_alive() for thread in self._threads)

    def open(self, stream, address=None):
        self.streams.append(stream)
        return Client(address or self.address)


def make(stream, rng, weights, size=0, deadlines=True):
    """A request as a dict, added to its stream."""
    place = rng.choices(list(weights), list(weights.values()))[0]
    device = PLACES[place][rng.randrange(DEVICES[place])]
    qos = rng.choices((0, 1, 2), (2, 5, 3))[0]
    members = {"qos": qos}
    deadline = DEADLINE_S
    if deadlines and place in SHORT_S and rng.random() < 0.3:
        deadline = rng.choice(SHORT_S[place])
        members["timeout_ms"] = int(deadline * 1000)
    number = stream.add(Request(place, device, qos, time.monotonic(), deadline))
    if stream.ids:
        members["id"] = number
    return request_of(device, f"soak/{device}", payload_of(stream, number, size), **members)


def batch(stream, rng, count, framing, **more):
    """Bytes of `count` requests; all count as sent when the first was made."""
    return b"".join([framing(make(stream, rng, **more)) for _ in range(count)])


def finish(client, stream, read):
    """Half-closes; then expects all replies and the end of the stream, and nothing else."""
    client.half_close()
    while stream.outstanding():
        stream.settle(read())
    rest = client.read_until_eof()
    if rest:
        stream.faults.append(f"more than the replies: {rest[:200]!r}")


def converse(crowd, rng, stream, window, address=None, framed=False, pause_s=0.01, **more):
    """A long-lived client: keeps up to `window` requests outstanding, half-closes, and gets all its replies."""
    client = crowd.open(stream, address)
    read, framing = (client.read_frame, frame) if framed else (client.read_reply, encode)
    try:
        while not crowd.stopping():
            client.send_raw(batch(stream, rng, window - stream.outstanding(), framing, **more))
            while stream.outstanding() > window // 2:
                stream.settle(read())
            crowd.pause(pause_s)
        finish(client, stream, read)
    except (AssertionError, OSError) as fault:
        stream.faults.append(f"after {stream.replied} of {len(stream.requests)} replies: {fault!r}")
    finally:
        client.close()


def pipelining(crowd, rng):
    converse(crowd, rng, Stream("pipelining"), window=32, weights=WEIGHTS)


def ordered(crowd, rng):
    converse(crowd, rng, Stream("without ids", ids=False), window=24, weights=ORDERED)


def framed(crowd, rng):
    converse(crowd, rng, Stream("length-prefixed"), window=24, framed=True, weights=WEIGHTS)


def framed_ordered(crowd, rng):
    converse(crowd, rng, Stream("length-prefixed without ids", ids=False), window=24, framed=True, weights=ORDERED)


def over_unix(crowd, rng):
    converse(crowd, rng, Stream("Unix socket"), window=24, address=crowd.unix_path, weights=WEIGHTS)


def calm_only(crowd, rng):
    converse(crowd, rng, Stream("calm broker only"), window=16, weights={"calm": 1})


def greedy(crowd, rng):
    """Sends more than max_pipeline: sluice pauses and resumes it again and again."""
    window = 3 * MAX_PIPELINE
    converse(crowd, rng, Stream("greedy", held_s=2 * DEADLINE_S), window=window, weights=WEIGHTS, pause_s=0.05)


def large(crowd, rng):
    """Fills sockets while the peer does not read."""
    converse(crowd, rng, Stream("large messages"), window=32, weights={"rough": 3, "calm": 1}, size=16384, pause_s=0.1)


def one_by_one(crowd, rng):
    """Like the existing callers: one connection for each request."""
    stream = Stream("one by one", ids=False)
    client = crowd.open(stream)
    try:
        client.send(make(stream, rng, ORDERED))
        stream.settle(client.read_reply())
    except (AssertionError, OSError) as fault:
        stream.faults.append(f"instead of its reply: {fault!r}")
    finally:
        client.close()
    crowd.pause(0.01)


def coming_and_going(crowd, rng):
    stream = Stream("coming and going", ids=rng.random() < 0.5)
    client = crowd.open(stream)
    try:
        for _ in range(rng.randint(1, 4)):
            client.send_raw(batch(stream, rng, rng.randint(1, 6), encode, weights=WEIGHTS if stream.ids else ORDERED))
            while stream.outstanding():
                stream.settle(client.read_reply())
    except (AssertionError, OSError) as fault:
        stream.faults.append(f"after {stream.replied} of {len(stream.requests)} replies: {fault!r}")
    finally:
        client.close()
    crowd.pause(0.01)


def half_closing(crowd, rng):
    """Half-closes at once, and still gets every reply."""
    stream = Stream("half-closing", ids=rng.random() < 0.5)
    client = crowd.open(stream)
    try:
        client.send_raw(batch(stream, rng, rng.randint(1, 40), encode, weights=WEIGHTS if stream.ids else ORDERED))
        finish(client, stream, client.read_reply)
    except (AssertionError, OSError) as fault:
        stream.faults.append(f"after {stream.replied} of {len(stream.requests)} replies: {fault!r}")
    finally:
        client.close()
    crowd.pause(0.05)


def vanishing(crowd, rng):
    """Resets its connection without reading replies, sometimes within a request."""
    stream = Stream("vanishing", vanished=True)
    client = crowd.open(stream)
    try:
        client.send_raw(batch(stream, rng, rng.randint(1, 30), encode, weights=WEIGHTS))
        if rng.random() < 0.3:
            client.send_raw(b'{"device_id": 1, "mqtt_to')
        crowd.pause(rng.choice((0, 0.002, 0.02, 0.2)))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError as fault:
        stream.faults.append(f"while sending: {fault!r}")
    finally:
        client.socket.close()
    crowd.pause(0.05)


KINDS = [pipelining, pipelining, pipelining, ordered, ordered, framed, framed_ordered, over_unix, calm_only, calm_only,
         greedy, large, one_by_one, one_by_one, one_by_one, coming_and_going, coming_and_going, half_closing,
         half_closing, vanishing, vanishing]
