"""Clients that leave while sluice does not read from them: a broker takes nothing more, and its queue is full."""
import pytest

from harness.client import encode, request
from harness.fake_broker import withhold
from harness.metrics import scrape
from harness.replies import assert_success, assert_successes
from harness.sluice import broker_table
from harness.waiting import wait_until

PLACES = 20
HUNG = 2000  # a device of the hung broker


@pytest.fixture(name="hung")
def hung_broker(lab):
    """A broker that acknowledges nothing, with a window of 2 messages and a queue of 2."""
    return lab.fake_broker(on_publish=withhold)


def serve(lab, hung, *, unix=None):
    listen = {"listen": [f"unix://{unix}"]} if unix else {}
    return lab.sluice(
        broker_table(lab.broker(), "healthy", 0, 1000),
        broker_table(hung, "hung", 1000, 10000, connections=1, max_inflight=2, queue_messages=2, ack_timeout_ms=120000,
                     keepalive_s=600),
        server={"max_connections": PLACES}, defaults={"publish_timeout_ms": 60000}, log={"level": "info"}, **listen)


def clients_of(sluice):
    return sluice.status()["clients"]


def fill(sluice, hung):
    """Requests of a client that stays: the broker's window and queue are full."""
    client = sluice.client()
    for number in range(4):
        client.send(request(device=HUNG + number, message=f"kept {number}"))
    hung.wait_for_publishes(2)
    wait_until(lambda: scrape(sluice)("sluice_queued", broker="hung") == 2, "the queue is full")
    return client


def leave_parked(sluice, count, leave):
    """Clients, each with a request that waits for room, that leave then."""
    before = clients_of(sluice)["pauses"]["queue"]
    clients = [sluice.client() for _ in range(count)]
    for number, client in enumerate(clients):
        client.send(request(device=HUNG + 100 + number, message="dropped"))
    wait_until(lambda: clients_of(sluice)["pauses"]["queue"] >= before + count, "all wait")
    for client in clients:
        leave(client)


@pytest.mark.parametrize("leave", [lambda client: client.reset(), lambda client: client.socket.close()],
                         ids=["reset", "close"])
def test_clients_that_left_while_they_waited_keep_no_places_and_send_nothing(lab, hung, leave):
    sluice = serve(lab, hung)
    stays = fill(sluice, hung)
    for round_number in range(1, 4):
        leave_parked(sluice, PLACES - 1, leave)
        wait_until(lambda: clients_of(sluice)["connected"] <= 1, "the places are free")
        newcomer = sluice.client()
        assert_success(newcomer.ask(request(device=1)))
        newcomer.close()
        wait_until(lambda count=round_number * (PLACES - 1):
                   scrape(sluice)("sluice_requests_dropped_total") == count, "all are dropped")
        wait_until(lambda: clients_of(sluice)["connected"] == 1, "the newcomer has left")
    assert clients_of(sluice)["refused"] == 0
    assert sluice.log().count("its request that waited for room is dropped") == 1
    hung.recover()
    assert_successes(stays, 4)
    assert_success(sluice.client().ask(request(device=HUNG + 99, message="last")))
    assert b"dropped" not in hung.payloads()


def test_a_client_that_left_a_unix_socket_is_noticed_too(lab, hung, tmp_path):
    path = str(tmp_path / "s.sock")
    sluice = serve(lab, hung, unix=path)
    client = sluice.client(address=path)
    for number in range(5):
        client.send(request(device=HUNG + number))
    wait_until(lambda: clients_of(sluice)["paused"] == 1, "the fifth waits")
    client.socket.close()
    wait_until(lambda: scrape(sluice)("sluice_requests_dropped_total") == 1, "it is dropped")
    assert clients_of(sluice)["connected"] == 0


def test_a_client_that_left_with_input_unread_is_noticed_too(lab, hung):
    sluice = serve(lab, hung)
    fill(sluice, hung)
    client = sluice.client()
    client.send_raw(encode(request(device=HUNG + 10)) + encode(request(device=1, message="x" * 100000)))
    wait_until(lambda: clients_of(sluice)["paused"] == 1, "it waits")
    client.socket.close()
    wait_until(lambda: scrape(sluice)("sluice_requests_dropped_total") == 1, "it is dropped")


def test_a_client_that_only_shut_down_its_writing_side_is_served_and_takes_no_place(lab, hung):
    """More requests than are read while it waits."""
    sluice = serve(lab, hung)
    fill(sluice, hung)
    clients = []
    for number in range(2 * PLACES):
        client = sluice.client()
        clients.append(client)
        client.send_raw(encode(request(device=HUNG + 100 + number)) + encode(request(device=1)) * 300)
        client.half_close()
        wait_until(lambda number=number: clients_of(sluice)["half_closed"] == number + 1, "its end is noticed")
    assert clients_of(sluice)["connected"] == 1
    assert_success(sluice.client().ask(request(device=1)))
    hung.recover()
    for client in clients:
        assert [reply["code"] for reply in client.read_replies_until_eof()] == [1] * 301
    assert scrape(sluice)("sluice_requests_dropped_total") == 0
