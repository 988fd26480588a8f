"""A restart without a gap, as docs/operations.md describes it: two processes on one port, the old one stopped."""
import threading

from harness import net
from harness.client import EndOfConnection, request
from harness.replies import assert_failure, is_success
from harness.sluice import in_threads
from harness.waiting import BOUND_S


def start(lab, broker, port, instance):
    sluice = lab.sluice(broker, listen=[f"tcp://127.0.0.1:{port}"],
                        server={"reuse_port": True, "instance": instance, "drain_timeout_ms": 30000})
    sluice.port = port
    return sluice


def connect(sluice):
    """A new connection to whoever listens. The kernel may refuse or reset one while a listener closes."""
    try:
        return sluice.client()
    except OSError:
        return None


def test_a_second_process_on_the_port_takes_over_and_no_acknowledged_message_is_lost(lab):
    broker, port = lab.broker(), net.free_port()
    subscriber = lab.subscriber(broker)
    old = start(lab, broker, port, "old")
    warm, moved = threading.Barrier(9), threading.Event()

    def work(number):
        """Sends one request at a time, always; connects again when its connection ends. Returns what was acknowledged."""
        client, sent, acknowledged, ended = connect(old), 0, set(), False
        while not moved.is_set() or not ended:
            if client is None:
                client = connect(old)
                continue
            try:
                message, sent = f"{number}/{sent}", sent + 1
                reply = client.ask(request(device=1 + number, message=message))
                if is_success(reply):
                    acknowledged.add(message.encode())
                else:
                    assert_failure(reply, "shutting_down")
            except (EndOfConnection, ConnectionError):
                client, ended = None, True
            if sent == 20:
                warm.wait(BOUND_S)
        reply = connect(old).ask(request(device=1 + number, message=f"{number}/last"))
        assert is_success(reply)
        return acknowledged | {f"{number}/last".encode()}

    def restart(_):
        warm.wait(BOUND_S)
        start(lab, broker, port, "new")
        old.terminate()
        assert old.wait() == 0
        moved.set()
        return set()

    results = in_threads(lambda number: restart(number) if number < 0 else work(number), list(range(-1, 8)))
    acknowledged = set().union(*results)
    assert len(acknowledged) >= 8 * 20
    subscriber.wait_for_payloads(acknowledged)
