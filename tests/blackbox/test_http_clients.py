"""The admin interface among slow, greedy and hostile HTTP clients: messages and health checks go on."""
import socket
import threading

import pytest

from harness.client import request
from harness.metrics import scrape
from harness.replies import assert_success
from harness.sluice import broker_table
from harness.waiting import BOUND_S, wait_until

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def sockets():
    """sockets(sluice) connects to the admin port; closed with the test."""
    made = []

    def connect(sluice, receive_buffer=None):
        made.append(socket.socket())
        made[-1].settimeout(BOUND_S)
        if receive_buffer:
            made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made[-1].connect(("127.0.0.1", sluice.admin_port))
        return made[-1]
    yield connect
    for sock in made:
        sock.close()


def read_to_end(sock):
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def assert_messages_flow(rig, count=50):
    client = rig.client()
    for _ in range(count):
        assert_success(client.ask(request(timeout_ms=10000)))


def test_head_has_the_headers_and_no_body(rig, sockets):
    sock = sockets(rig.sluice)
    sock.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = read_to_end(sock).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and body == b""
    assert b"text/plain; version=0.0.4" in head


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"BREW"])
@pytest.mark.parametrize("path", [b"/metrics", b"/nothing"])
def test_other_methods_are_told_which_ones_there_are(shared_rig, sockets, method, path):
    sock = sockets(shared_rig.sluice)
    sock.sendall(method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    answer = read_to_end(sock)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD\r\n" in answer


def test_an_unknown_path_is_404(shared_rig, sockets):
    for path in (b"/metricsx", b"/metrics/", b"//status", b"/STATUS"):
        sock = sockets(shared_rig.sluice)
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_to_end(sock).startswith(b"HTTP/1.1 404 ")


def test_oversized_headers_are_refused(shared_rig, sockets):
    sock = sockets(shared_rig.sluice)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100000 + b"\r\n\r\n")
    answer = read_to_end(sock)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert shared_rig.sluice.http("/healthz")[0] == 200


def test_a_thousand_connections_use_few_descriptors_and_delay_nothing(rig, sockets):
    before = rig.sluice.open_descriptors()
    crowd = [sockets(rig.sluice) for _ in range(1000)]
    assert_messages_flow(rig)
    assert rig.sluice.open_descriptors() <= before + 20
    for sock in crowd:
        sock.close()
    rig.sluice.wait_for_status("/healthz", 200)


@pytest.mark.slow
def test_who_drips_is_ended_and_the_next_one_served(rig, sockets):
    """More than there are places, each sending a byte now and then: none is idle, none keeps its place. Fast: "who
    drips is ended after five seconds, and who waited has the place" in tests/unit/admin/http_server_test.cc."""
    crowd = [sockets(rig.sluice) for _ in range(20)]
    over = threading.Event()

    def drip():
        while not over.wait(0.2):
            for sock in crowd:
                try:
                    sock.sendall(b"G")
                except OSError:
                    pass
    dripper = threading.Thread(target=drip, daemon=True)
    dripper.start()
    try:
        assert_messages_flow(rig)
        wait_until(lambda: rig.sluice.http("/healthz")[0] == 200, "a place becomes free", bound_s=3 * BOUND_S)
        assert_messages_flow(rig)
    finally:
        over.set()
        dripper.join(BOUND_S)


@pytest.mark.slow
def test_who_never_reads_a_large_answer_holds_up_nobody_and_is_ended(lab, sockets):
    """With 200 brokers, for an answer that fits no socket. Fast: who drips is ended by the same rule, in
    tests/unit/admin/http_server_test.cc."""
    broker = lab.broker()
    many = [broker_table("mqtt://127.0.0.1:1", f"silent-{i}", 2000000 + i, 2000002 + i, connections=1,
                         reconnect_min_ms=60000, reconnect_max_ms=60000) for i in range(200)]
    sluice = lab.sluice(broker_table(broker), *many, until="alive")
    assert len(sluice.http("/metrics")[1]) > 500000
    wait_until(lambda: scrape(sluice).sum("sluice_broker_connections", state="up") == 4, "all are up that can be")
    wait_until(lambda: scrape(sluice).sum("sluice_broker_connections", state="connecting") == 0, "none is tried now")
    client = sluice.client()
    assert_success(client.ask(request()))
    before = sluice.open_descriptors()
    for _ in range(12):
        sockets(sluice, receive_buffer=4096).sendall(GET)
    # Larger than what lies in the sockets between the two, so they have to stay.
    wait_until(lambda: sluice.open_descriptors() >= before + 12, "they are there")
    for _ in range(300):
        assert_success(client.ask(request(timeout_ms=10000)))
        assert sluice.open_descriptors() <= before + 20
    assert sluice.http("/healthz")[0] == 200
    wait_until(lambda: sluice.open_descriptors() <= before, "the ones that do not read are ended")


def test_pages_asked_for_without_end_delay_no_message(rig, sockets):
    over = threading.Event()
    answers = []

    def ask():
        while not over.is_set():
            for path in ("/metrics", "/status", "/nothing"):
                answers.append(rig.sluice.http(path)[0])
    greedy = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in greedy:
        thread.start()
    try:
        wait_until(lambda: len(answers) > 50, "they are asking")
        assert_messages_flow(rig)
    finally:
        over.set()
        for thread in greedy:
            thread.join(BOUND_S)
    assert set(answers) == {200, 404}


def test_http_on_the_port_for_requests_is_told_once_a_minute(lab):
    sluice = lab.sluice(lab.broker(), log={"level": "info"})
    for _ in range(20):
        client = sluice.client()
        client.send_raw(GET)
        client.read_until_eof()
    assert_success(sluice.client().ask(request()))
    assert len([line for line in sluice.log().splitlines() if ": closed: received an HTTP request" in line]) == 1
