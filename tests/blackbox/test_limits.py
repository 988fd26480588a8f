"""Every limit reached on purpose: what then happens to those beyond it, that all others are served as before, and
that resident memory keeps its bound. tools/test runs this file twice: memory is judged only without sanitizers.
"""
import errno
import os
import re
import resource
import subprocess
import time

import pytest

from harness.client import Client, EndOfConnection, encode, request
from harness.memory import KIB, MIB, assert_bounded
from harness.order import numbers_of
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import binary, broker_table, environment, in_threads, is_sanitized
from harness.waiting import wait_until

# A broker's limits that leave the bound little slack.
SMALL_BROKER = {"queue_bytes": MIB, "inflight_bytes": MIB}
# A broker that is frozen for long must not be taken for lost in these tests.
PATIENT = {"ack_timeout_ms": 120000, "keepalive_s": 600}


def ask_all(clients):
    """A request from each, all under way at once; each is answered with success."""
    for client in clients:
        client.send(request(qos=0))
    for client in clients:
        assert_success(client.read_reply())


def wait_until_all_are_paused(clients):
    in_threads(lambda client: client.wait_until_paused(), clients)


def end_of(client):
    """The replies until the end of the connection, which may be a reset where nothing was promised."""
    try:
        return client.read_replies_until_eof()
    except ConnectionResetError:
        return []


# --- max_connections
def served(client):
    """The client, if it is served; None if it was one too many."""
    try:
        return client if client.ask(request())["code"] == 1 else None
    except (ConnectionError, EndOfConnection):
        return None


def test_a_connection_too_many_is_told_so_and_closed(lab):
    sluice = lab.sluice(lab.broker(), server={"max_connections": 2})
    first, second = sluice.client(), sluice.client()
    assert_success(first.ask(request()))
    assert_success(second.ask(request()))
    third = sluice.client()
    replies = third.read_replies_until_eof()
    assert len(replies) == 1
    assert_failure(replies[0], "overloaded")
    assert_success(first.ask(request()))


def test_a_connection_too_many_is_told_so_even_while_it_is_sending(lab):
    sluice = lab.sluice(lab.broker(), server={"max_connections": 1})
    first = sluice.client()
    assert_success(first.ask(request()))
    second = sluice.client()
    second.send_in_background(encode(request(topic="too many")) * 500)
    replies = second.read_replies_until_eof()
    assert [r["error"] for r in replies] == ["overloaded"]


def test_a_connection_that_ends_makes_room_for_another(lab):
    sluice = lab.sluice(lab.broker(), server={"max_connections": 1})
    for _ in range(5):
        client = wait_until(lambda: served(sluice.client()), "room for another connection")
        client.half_close()
        assert client.read_until_eof() == b""
        client.close()


def test_a_thousand_connections_too_many_disturb_none_of_those_there_are(lab):
    sluice = lab.sluice(broker_table(lab.broker(), **SMALL_BROKER), server={"max_connections": 100},
                        limits={"input_bytes": MIB}, log={"level": "info"})
    clients = [sluice.client() for _ in range(100)]
    ask_all(clients)
    before = sluice.open_descriptors()
    for _ in range(4):
        crowd = [sluice.client() for _ in range(250)]
        ask_all(clients)
        for client in crowd:
            replies = client.read_replies_until_eof()
            assert [r["error"] for r in replies] == ["overloaded"]
            client.close()
        wait_until(lambda: sluice.open_descriptors() <= before, "sluice closes its ends")
    assert_bounded(sluice, "max_connections and 1,000 more", 1100)
    assert sluice.log().count("max_connections (100) reached") == 1
    clients.pop().close()
    wait_until(lambda: served(sluice.client()), "room for another connection")


# --- input_bytes
@pytest.mark.slow
def test_of_a_thousand_clients_with_half_a_request_the_one_that_holds_most_is_told_to_go(lab):
    """What is begun holds more than input_bytes allows, so it is ended, largest first, until the rest fits; who
    has not begun waits. request_timeout_ms ends them all. Fast:
    test_above_input_bytes_the_client_that_holds_most_is_closed in test_backpressure.py."""
    sluice = lab.sluice(broker_table(lab.broker(), **SMALL_BROKER), server={"max_connections": 1100},
                        limits={"input_bytes": 16 * MIB, "max_request_bytes": 65536, "request_timeout_ms": 5000})
    largest, other = sluice.client(), sluice.client()
    largest.send_raw(encode(request(message="x" * 60000))[:-1])
    largest.wait_until_read()
    half = encode(request(message="x" * 48000))[:24000]
    clients = [sluice.client() for _ in range(1000)]
    for client in clients:
        client.send_raw(half)
    replies = largest.read_replies_until_eof()
    assert [r["error"] for r in replies] == ["overloaded"]
    assert_success(other.ask(request()))
    told = {"overloaded": 0, "bad_request": 0}
    for client in clients:
        replies = client.read_replies_until_eof()
        assert len(replies) == 1
        told[replies[0]["error"]] += 1
    # Far from all were overloaded: the others waited until there was room, and had their time.
    print(f"1,000 halves of 24,000 bytes, input_bytes 16 MiB: {told}")
    assert told["bad_request"] >= 500
    assert_success(other.ask(request()))
    assert_bounded(sluice, "1,000 clients with half a request", 1002)


# --- output_bytes
FAULTY = 40000
# With long ids, which the replies repeat.
MANY_FAULTY = b"".join(encode({"id": f"{i} ".ljust(250, "x")}) for i in range(FAULTY))


def unread_replies(sluice):
    """A client that sends faulty requests and reads no reply."""
    client = sluice.client(receive_buffer=4096)
    client.send_in_background(MANY_FAULTY)
    return client


@pytest.mark.slow
def test_a_client_that_does_not_read_its_replies_is_not_read_from(lab):
    """Several. Fast, with one: test_unread_output_is_a_reason in test_metrics.py."""
    sluice = lab.sluice(broker_table(lab.broker(), **SMALL_BROKER), limits={"output_bytes": 16384, "input_bytes": MIB})
    clients = [unread_replies(sluice) for _ in range(3)]
    wait_until_all_are_paused(clients)
    other = sluice.client()
    for _ in range(100):
        assert_success(other.ask(request()))
    assert_bounded(sluice, "3 clients that read no reply", 4, unread=3)
    for number, reply in enumerate(clients[0].read_replies(FAULTY)):
        assert_failure(reply, "bad_request")
        assert reply["id"].split()[0] == str(number)


def test_a_client_that_takes_no_reply_for_too_long_is_closed(lab):
    sluice = lab.sluice(lab.broker(), limits={"output_bytes": 16384, "write_timeout_ms": 1000})
    other = sluice.client()
    assert_success(other.ask(request()))
    before = sluice.open_descriptors()
    unread_replies(sluice)
    sluice.wait_for_log("closed: no reply read for write_timeout_ms")
    wait_until(lambda: sluice.open_descriptors() <= before, "sluice closes the connection")
    assert_success(other.ask(request()))


# --- a broker's queue
@pytest.mark.slow
@pytest.mark.parametrize("size, count, limits", [
    # Each time the other limit is out of reach of all that is sent.
    pytest.param(16, 1500, {"queue_messages": 1000, "queue_bytes": 4 * MIB}, id="small messages, queue_messages"),
    pytest.param(16, 1500, {"queue_messages": 1000000, "queue_bytes": MIB // 2}, id="small messages, queue_bytes"),
    pytest.param(65536, 150, {"queue_messages": 1000000, "queue_bytes": 4 * MIB}, id="large messages, queue_bytes")])
def test_a_full_queue_pauses_its_clients_and_loses_nothing(lab, size, count, limits):
    """Thousands of messages. Fast, with hundreds: test_a_full_queue_pauses_its_clients_and_goes_on_when_there_is_room
    in test_backpressure.py."""
    slow, live = lab.broker(), lab.broker()
    subscriber = lab.subscriber(slow)
    sluice = lab.sluice(
        broker_table(slow, "slow", 0, 1000, connections=2, inflight_bytes=MIB, **PATIENT, **limits),
        broker_table(live, "live", 1000, 2000, **SMALL_BROKER), limits={"input_bytes": 8 * MIB, "output_bytes": 65536})
    slow.freeze()
    clients = [sluice.client() for _ in range(10)]
    for number, client in enumerate(clients):
        client.send_in_background(b"".join(
            encode(request(device=1 + number, topic=f"d/{number}", timeout_ms=60000,
                           message=f"{i} ".ljust(size, "x"))) for i in range(count)))
    wait_until_all_are_paused(clients)
    other = sluice.client()
    for _ in range(200):
        assert_success(other.ask(request(device=1500)))
    assert not any(client.has_input() for client in clients)
    assert_bounded(sluice, f"a frozen broker's queue full of {size}-byte messages", 11)
    slow.thaw()
    for replies in in_threads(lambda client: client.read_replies(count), clients):
        for reply in replies:
            assert_success(reply)
    subscriber.wait_for(10 * count)
    for number in range(10):
        assert numbers_of(subscriber.payloads(f"d/{number}")) == list(range(count))
    assert_bounded(sluice, "the same after the thaw", 11)


# --- descriptors
# UBSan takes descriptors of its own, and reports a type that it could not look at.
FEWEST = 12 if is_sanitized() else 4


@pytest.mark.parametrize("count", range(FEWEST, 23))
def test_with_too_few_descriptors_for_one_client_sluice_ends_with_the_reason(lab, count):
    sluice = lab.sluice(broker_table(lab.broker(), connections=2), until="later")
    done = subprocess.run(["prlimit", f"--nofile={count}:{count}", binary(), "serve", "-c", str(sluice.file)],
                          stdin=subprocess.DEVNULL, capture_output=True, env=environment(), timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(rb"Too many open files: sluice needs at least 19 free file descriptors to start, \d+ are free",
                     done.stderr), done.stderr


@pytest.mark.skipif(is_sanitized(), reason="sanitizers take descriptors of their own")
@pytest.mark.parametrize("count", [*range(23, 33), 48, 64])
def test_with_descriptors_for_one_client_sluice_serves_it(lab, count):
    sluice = lab.sluice(broker_table(lab.broker(), connections=2), descriptors=count)
    assert_success(sluice.client().ask(request()))


def test_clients_never_take_the_descriptors_of_the_connections_to_brokers(lab):
    """Where the hard limit is too low for max_connections, clients are refused before links starve."""
    relay = lab.relay(lab.broker())
    sluice = lab.sluice(broker_table(relay, **SMALL_BROKER), server={"max_connections": 1000}, descriptors=128,
                        limits={"input_bytes": MIB})
    room = 128 - 3 * 4 - 32
    sluice.wait_for_log(f"hard limit is 128: max_connections lowered to {room}")
    clients = [sluice.client() for _ in range(room)]
    ask_all(clients)
    crowd = [sluice.client() for _ in range(200)]
    relay.refuse()
    relay.cut()
    sluice.wait_for_status("/readyz", 503)
    relay.accept()
    sluice.wait_for_status("/readyz", 200)
    ask_all(clients)
    told = [end_of(client) for client in crowd]
    assert any(told)
    for replies in filter(None, told):
        assert [r["error"] for r in replies] == ["overloaded"]
    assert "accept: " not in sluice.log()
    clients.pop().close()
    clients.append(wait_until(lambda: served(sluice.client()), "room for another connection"))
    ask_all(clients)
    assert_bounded(sluice, "a hard limit of 128 descriptors", len(clients) + len(crowd))


@pytest.mark.skipif(is_sanitized(), reason="UBSan looks at objects through a pipe and takes a failure for a fault")
def test_without_a_free_descriptor_those_connected_are_served_and_new_ones_wait(lab):
    relay = lab.relay(lab.broker())
    sluice = lab.sluice(broker_table(relay, **SMALL_BROKER), limits={"input_bytes": MIB})
    clients = [sluice.client() for _ in range(20)]
    ask_all(clients)
    former = sluice.limit_descriptors(1 + max(int(fd) for fd in os.listdir(f"/proc/{sluice.pid}/fd")))
    waiting = [sluice.client() for _ in range(40)]
    probe = Client(("127.0.0.1", sluice.admin_port))  # waits, too
    probe.send_raw(b"GET /healthz HTTP/1.0\r\n\r\n")
    for client in waiting:
        client.send(request())
    sluice.wait_for_log("accept: Too many open files; new connections wait in the backlog")
    spent = sluice.processor_seconds()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        ask_all(clients)
        time.sleep(0.1)
    spent = sluice.processor_seconds() - spent
    print(f"no free descriptor, 20 clients served for 2 s: {spent:.2f} s of processor time")
    assert spent < 1

    # A broker connection that ends now may find its descriptor taken; it comes back when there is room.
    relay.cut()
    sluice.wait_for_log(r"slot \d: Ready -> Backoff")
    for client in clients[10:]:
        client.close()
    sluice.restore_descriptors(former)
    for client in waiting:
        assert_success(client.read_reply())
    assert b"200 OK" in probe.read_until_eof()
    probe.close()
    sluice.wait_for_status("/readyz", 200)
    ask_all(clients[:10])
    assert sluice.log().count("accept: Too many open files") == 1
    sluice.wait_for_log("accepting again")
    assert_bounded(sluice, "no free descriptor", 60)


# --- a full disk
def small_disk(folder):
    """A file system of 16 KiB in `folder`; None where this process may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "sluice-test", str(folder)],
                             check=False, capture_output=True)
    return folder if mounted.returncode == 0 else None


def is_full(folder):
    try:
        (folder / "probe").write_bytes(b"x" * 4096)
        (folder / "probe").unlink()
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False


def test_a_log_file_on_a_full_disk_costs_lines_and_nothing_else(lab, tmp_path):
    disk = small_disk(tmp_path / "disk")
    file = disk / "log" if disk else "/dev/full"
    try:
        sluice = lab.sluice(broker_table(lab.broker(), **SMALL_BROKER), log={"file": str(file)},
                            limits={"input_bytes": MIB})
        client = sluice.client()
        for _ in range(10):
            client.send_raw(encode(request()) * 100)
            assert_successes(client, 100)
        said = f"log file {file}: No space left on device; lines are lost"
        assert sluice.log().count(said) == 1
        assert sluice.log().count("\n") == 1
        assert_bounded(sluice, "a log file on a full disk", 1)
        if disk:
            assert is_full(disk)
            os.truncate(file, 0)
            assert_success(client.ask(request()))
            text = file.read_text(encoding="utf-8")
            assert "lines lost: the file could not be written" in text
            assert "dev/1001/cmd" in text
    finally:
        if disk:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)  # sluice may still run after a failure


# --- what is idle
def test_idle_connections_to_a_broker_cost_little_memory_however_large_their_window(lab, record_property):
    fake = lab.fake_broker()
    few, many = 20, 200
    resident = {}
    for count in (few, many):
        sluice = lab.sluice(broker_table(fake, connections=count, max_inflight=65535, client_id=f"{count}-{{slot}}",
                                         **SMALL_BROKER), limits={"input_bytes": MIB})
        wait_until(lambda sluice=sluice, count=count: sluice.broker_status()["connections_up"] == count,
                   "all connections are up")
        assert_success(sluice.client().ask(request()))
        resident[count] = sluice.resident_bytes()
        assert_bounded(sluice, f"{count} idle connections", 1)
    used = (resident[many] - resident[few]) / (many - few)
    record_property("kib_per_idle_connection", round(used / KIB, 2))
    print(f"{many} idle connections: {used / KIB:.2f} KiB each")
    assert is_sanitized() or used <= 12 * KIB


@pytest.mark.parametrize("wanted", [1000, pytest.param(10000, marks=pytest.mark.slow)])
def test_idle_clients_cost_little_memory_and_nothing_else(lab, record_property, wanted):
    """The fast one is that with 1,000."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(wanted, hard - 300)
    assert count >= 1000, f"a hard limit of {hard} open files is too low for this test"
    try:
        sluice = lab.sluice(broker_table(lab.broker(), **SMALL_BROKER), server={"max_connections": count + 10},
                            limits={"input_bytes": MIB})
        active = sluice.client()
        assert_success(active.ask(request()))
        before = sluice.resident_bytes()
        clients = [sluice.client() for _ in range(count)]
        assert_success(sluice.client().ask(request()))  # so all before it were accepted
        fresh = (sluice.resident_bytes() - before) / count
        for start in range(0, count, 500):
            ask_all(clients[start:start + 500])
        used = (sluice.resident_bytes() - before) / count
        assert_success(active.ask(request()))
        record_property("kib_per_idle_client", round(used / KIB, 2))
        print(f"{count} idle clients: {fresh / KIB:.2f} KiB each, {used / KIB:.2f} KiB after a request each")
        assert_bounded(sluice, f"{count} idle clients", count + 2)
        assert is_sanitized() or used <= 20 * KIB
        # As many descriptors as there are must not make anything slow: idle means idle.
        spent = sluice.processor_seconds()
        time.sleep(1)
        assert sluice.processor_seconds() - spent < 0.5
        for client in clients:
            client.reset()
        wait_until(lambda: sluice.open_descriptors() < 100, "sluice closes its ends")
        assert_success(active.ask(request()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
