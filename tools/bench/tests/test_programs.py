"""The programs that measure, or stand for a broker. BENCH_PROGRAMS says where they are; else where run builds them."""

import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from harness import mqtt_packets as mqtt
from processes import Processes, accepts, start_on_a_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
PROGRAMS = ROOT / os.environ.get("BENCH_PROGRAMS", "build/bench/tools/bench/programs")
CONNECT_V5 = mqtt.connect(5, "ab")
CONNECT_V4 = mqtt.connect(4, "ab")


@pytest.fixture
def processes(tmp_path):
    started = Processes(tmp_path)
    yield started
    started.end_all()


def start(processes, program, *options):
    return start_on_a_port(processes, program, lambda port: [str(PROGRAMS / program), "--port", str(port), *options],
                           accepts)


def connect(port):
    """With a small window, so that not all that comes is held by the kernel."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    return connection


def receive(connection, size):
    got = bytearray()
    while len(got) < size:
        piece = connection.recv(size - len(got))
        assert piece, f"closed after {bytes(got)!r}"
        got += piece
    return bytes(got)


def publish(qos, number, payload=b"x"):
    return mqtt.publish(5, "t", payload, qos, number)


@pytest.mark.parametrize("packet, answer", [(CONNECT_V5, b"\x20\x03\x00\x00\x00"), (CONNECT_V4, b"\x20\x02\x00\x00")])
def test_the_sink_speaks_both_versions(processes, packet, answer):
    _, port = start(processes, "sluice-bench-sink")
    with connect(port) as publisher:
        publisher.sendall(packet)
        assert receive(publisher, len(answer)) == answer


def test_the_sink_announces_a_receive_maximum_when_asked_to(processes):
    _, port = start(processes, "sluice-bench-sink", "--receive-maximum", "300")
    with connect(port) as publisher:
        publisher.sendall(CONNECT_V5)
        assert receive(publisher, 8) == b"\x20\x06\x00\x00\x03\x21\x01\x2c"


def test_the_sink_acknowledges_and_counts_whatever_the_pieces(processes):
    sink, port = start(processes, "sluice-bench-sink")
    stream = (CONNECT_V5 + publish(1, 7) + publish(0, 0) + publish(2, 8) + mqtt.acknowledgement(mqtt.PUBREL, 8, 5) +
              publish(1, 9, b"y" * 400) + mqtt.packet(mqtt.PINGREQ, 0, b""))
    answers = (b"\x20\x03\x00\x00\x00" + b"\x40\x02\x00\x07" + b"\x50\x02\x00\x08" + b"\x70\x02\x00\x08" +
               b"\x40\x02\x00\x09" + b"\xd0\x00")
    for size in (1, 3, len(stream)):
        with connect(port) as publisher:
            publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(stream), size):
                publisher.sendall(stream[at:at + size])
            assert receive(publisher, len(answers)) == answers
    processes.end(sink)
    log = (processes.folder / "sluice-bench-sink.log").read_text()
    assert json.loads(log) == {"messages": 3 * 4, "waited_ms": []}


def test_a_sink_of_limited_speed_acknowledges_so_many_a_second_in_order_and_says_how_long_each_waited(processes):
    sink, port = start(processes, "sluice-bench-sink", "--per-second", "100")
    with connect(port) as publisher:
        publisher.sendall(CONNECT_V5)
        receive(publisher, 5)
        began = time.monotonic()
        publisher.sendall(b"".join(publish(1, number) for number in range(1, 51)))
        assert receive(publisher, 200) == b"".join(b"\x40\x02\x00" + bytes([number]) for number in range(1, 51))
        assert time.monotonic() - began >= 0.49
    processes.end(sink)
    waited = json.loads((processes.folder / "sluice-bench-sink.log").read_text())["waited_ms"]
    assert 200 < waited[0] < 500, "50 messages at once wait 10 to 500 ms"


def test_the_sink_acknowledges_a_large_message_only_when_all_of_it_has_come(processes):
    _, port = start(processes, "sluice-bench-sink")
    message = publish(1, 5, b"z" * 1_000_000)
    with connect(port) as publisher:
        publisher.sendall(CONNECT_V5 + message[:-1])
        assert receive(publisher, 5) == b"\x20\x03\x00\x00\x00"
        publisher.settimeout(0.2)
        with pytest.raises(TimeoutError):
            publisher.recv(1)
        publisher.settimeout(10)
        publisher.sendall(message[-1:])
        assert receive(publisher, 4) == b"\x40\x02\x00\x05"


def connect_tls(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connect(port))


def test_the_sink_speaks_tls_whatever_the_size_of_records(processes):
    sink, port = start(processes, "sluice-bench-sink", "--tls")
    with connect_tls(port) as publisher:
        for byte in CONNECT_V5:
            publisher.sendall(bytes([byte]))
        assert receive(publisher, 5) == b"\x20\x03\x00\x00\x00"
        publisher.sendall(b"".join(publish(1, number, b"x" * 200) for number in range(1, 3001)))
        acks = receive(publisher, 4 * 3000)
        assert acks == b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1, 3001))
        publisher.sendall(publish(1, 3001, b"z" * 1_000_000))
        assert receive(publisher, 4) == b"\x40\x02\x0b\xb9"
    processes.end(sink)
    assert json.loads((processes.folder / "sluice-bench-sink.log").read_text())["messages"] == 3001


def test_the_sink_over_tls_outlives_a_client_that_leaves_without_a_word(processes):
    _, port = start(processes, "sluice-bench-sink", "--tls")
    for _ in range(20):
        with connect_tls(port) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.sendall(CONNECT_V5 + b"".join(publish(1, number) for number in range(1, 500)))
    with connect_tls(port) as publisher:
        publisher.sendall(CONNECT_V5)
        assert receive(publisher, 5) == b"\x20\x03\x00\x00\x00"


def test_a_distant_broker_answers_after_the_way_there_and_back_and_loses_nothing(processes):
    _, sink_port = start(processes, "sluice-bench-sink")
    _, port = start(processes, "sluice-bench-delay", "--to", str(sink_port), "--delay-ms", "40")
    with connect(port) as publisher:
        began = time.monotonic()
        publisher.sendall(CONNECT_V5)
        receive(publisher, 5)
        assert time.monotonic() - began >= 0.08
        publisher.sendall(b"".join(publish(1, number) for number in range(1, 2001)))
        acks = receive(publisher, 4 * 2000)
        assert acks == b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1, 2001))


@pytest.fixture
def broker():
    """Takes one connection of the floor and its CONNECT, and leaves the rest to the test."""
    with Broker() as one:
        yield one


class Broker:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]
        self.connection = None

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        if self.connection:
            self.connection.close()

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        self.connection = connection
        assert mqtt.parse_connect(self.packet().body).version == 5
        connection.sendall(b"\x20\x03\x00\x00\x00")

    def packet(self):
        return mqtt.read_packet(lambda size: receive(self.connection, size))

    def publish(self):
        packet = self.packet()
        assert packet.kind == mqtt.PUBLISH
        return mqtt.parse_publish(packet.flags, packet.body, 5)


def start_floor(processes, broker_port, connections=1):
    return start(processes, "sluice-bench-floor", "--to", str(broker_port), "--connections", str(connections))


def request(message, qos=1, topic="dev/7/cmd"):
    return f'{{"device_id":7,"mqtt_topic":"{topic}","message":"{message}","qos":{qos}}}\n'.encode()


REPLY = '{"code":1,"msg":"mqtt 消息发送成功"}\n'.encode()


def test_the_floor_publishes_a_request_and_replies_as_sluice_does_once_it_is_acknowledged(processes, broker):
    _, port = start_floor(processes, broker.port)
    with connect(port) as client:
        client.sendall(request("open"))
        published = broker.publish()
        assert (published.topic, published.payload, published.qos) == ("dev/7/cmd", b"open", 1)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        broker.connection.sendall(mqtt.acknowledgement(mqtt.PUBACK, published.packet_id, 5))
        assert receive(client, len(REPLY)) == REPLY


def test_the_floor_says_as_sluice_does_that_nobody_is_subscribed(processes, broker):
    _, port = start_floor(processes, broker.port)
    with connect(port) as client:
        client.sendall(request("open"))
        number = broker.publish().packet_id
        broker.connection.sendall(mqtt.packet(mqtt.PUBACK, 0, number.to_bytes(2, "big") + b"\x10\x00"))
        expected = REPLY.replace(b"}", b',"subscribers":0}')
        assert receive(client, len(expected)) == expected


def test_the_floor_replies_at_qos_0_when_the_message_is_written_and_behind_what_came_before(processes, broker):
    _, port = start_floor(processes, broker.port)
    with connect(port) as client:
        client.sendall(request("now", qos=0))
        assert receive(client, len(REPLY)) == REPLY
        published = broker.publish()
        assert (published.payload, published.qos) == (b"now", 0)
        client.sendall(request("first") + request("second", qos=0) + request("third"))
        numbers = [broker.publish().packet_id for _ in range(3)]
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        broker.connection.sendall(b"".join(mqtt.acknowledgement(mqtt.PUBACK, number, 5) for number in numbers[::2]))
        assert receive(client, 3 * len(REPLY)) == 3 * REPLY


def test_the_floor_passes_a_message_of_1_mib_on_unchanged_between_small_ones(processes, broker):
    _, port = start_floor(processes, broker.port)
    messages = ["a", "".join(chr(97 + i % 26) for i in range(1 << 20)), "b"]
    with connect(port) as client:
        sender = threading.Thread(target=client.sendall, args=(b"".join(map(request, messages)),))
        sender.start()
        for message in messages:
            published = broker.publish()
            assert published.payload == message.encode()
            broker.connection.sendall(mqtt.acknowledgement(mqtt.PUBACK, published.packet_id, 5))
        sender.join()
        assert receive(client, 3 * len(REPLY)) == 3 * REPLY


def test_the_floor_answers_each_request_whatever_the_pieces_and_after_the_client_has_closed_its_side(processes):
    sink, sink_port = start(processes, "sluice-bench-sink")
    _, port = start_floor(processes, sink_port, connections=3)
    stream = b"".join(request("x" * size) for size in range(30))
    for size in (1, 7, len(stream)):
        with connect(port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(stream), size):
                client.sendall(stream[at:at + size])
            client.shutdown(socket.SHUT_WR)
            assert receive(client, 30 * len(REPLY)) == 30 * REPLY
            assert client.recv(1) == b""
    processes.end(sink)
    assert json.loads((processes.folder / "sluice-bench-sink.log").read_text())["messages"] == 3 * 30


def test_the_floor_ends_a_client_whose_request_it_does_not_know_and_serves_the_others(processes):
    _, sink_port = start(processes, "sluice-bench-sink")
    _, port = start_floor(processes, sink_port)
    with connect(port) as other:
        for strange in (b"{}\n", request("x", qos=2), request("x", topic="")):
            with connect(port) as client:
                client.sendall(strange)
                assert client.recv(1) == b""
        other.sendall(request("x"))
        assert receive(other, len(REPLY)) == REPLY


def test_the_floor_keeps_the_replies_of_a_client_that_does_not_read_until_it_does(processes, broker):
    _, port = start_floor(processes, broker.port)
    count = 60000
    published = len(mqtt.publish(5, "dev/7/cmd", b"x", 1, 1))
    acks = [mqtt.acknowledgement(mqtt.PUBACK, number, 5) for number in range(1, 65536)]
    with connect(port) as client, connect(port) as other:
        for turn in range(5):  # 13 MB of replies in all, more than the sockets hold
            client.sendall(request("x") * count)
            receive(broker.connection, count * published)
            broker.connection.sendall(b"".join(acks[number % 65535] for number in range(turn * count,
                                                                                         (turn + 1) * count)))
        # Acknowledgements come in order: with its reply all of the others' are there.
        other.sendall(request("y"))
        number = broker.publish().packet_id
        broker.connection.sendall(mqtt.acknowledgement(mqtt.PUBACK, number, 5))
        assert receive(other, len(REPLY)) == REPLY
        assert receive(client, 5 * count * len(REPLY)) == 5 * count * REPLY


def test_the_floor_ends_with_an_error_where_its_broker_does(processes, broker):
    floor, port = start_floor(processes, broker.port)
    broker.connection.close()
    assert floor.wait(10) == 1
    assert "the broker ended it" in (processes.folder / "sluice-bench-floor.log").read_text()


def run_load(port, *options):
    done = subprocess.run([str(PROGRAMS / "sluice-bench"), "--to", f"127.0.0.1:{port}", "--connections", "1",
                           "--window", "2", "--grace", "1", "--json", *options], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


def serve(answer):
    """A server for one client: `answer(n)` is what the n-th request gets, None ends the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work():
        with listener, listener.accept()[0] as client:
            for number, _ in enumerate(client.makefile("rb")):
                reply = answer(number)
                if reply is None:
                    return
                client.sendall(reply)

    threading.Thread(target=work, daemon=True).start()
    return listener.getsockname()[1]


OK = b'{"code":1,"msg":"ok"}\n'


def pausing(seconds):
    """Answers at once, but for the 50th request, which waits, and all after it."""
    def answer(number):
        if number == 50:
            time.sleep(seconds)
        return OK
    return answer


def test_the_generator_exits_with_0_when_every_request_was_answered_with_code_1():
    status, report = run_load(serve(lambda _: OK), "--messages", "20")
    assert (status, report["sent"], report["ok"], report["errors"]) == (0, 20, 20, {})


def test_the_generator_counts_failed_requests_by_their_error():
    bad = b'{"code":2,"msg":"no","error":"timeout","published":"unknown"}\n'
    status, report = run_load(serve(lambda number: bad if number == 5 else OK), "--messages", "20")
    assert (status, report["ok"], report["errors"]) == (1, 19, {"timeout": 1})


def test_the_generator_reports_a_request_without_a_reply():
    status, report = run_load(serve(lambda number: b"" if number == 19 else OK), "--messages", "20")
    assert (status, report["sent"] - report["answered"]) == (1, 1)


def test_the_generator_reports_a_lost_connection():
    status, report = run_load(serve(lambda number: None if number == 5 else OK), "--messages", "20")
    assert (status, report["lost_connections"]) == (1, 1)


def test_at_a_fixed_rate_a_pause_of_the_server_counts_in_each_message_that_was_due_in_it():
    _, report = run_load(serve(pausing(0.5)), "--rate", "200", "--seconds", "1.5", "--warm-up", "0")
    # 100 messages fall due in the pause. A closed loop would have noticed two.
    assert report["latency_us"]["p90"] > 100_000


def test_at_a_fixed_rate_the_generator_does_not_sleep_while_a_message_is_due():
    """A message that fell due between the sending of the ones before it and the setting of the timer disarmed the
    timer. With every request answered nothing woke the generator then, and it slept its limit of 5 ms."""
    status, report = run_load(serve(lambda _: OK), "--window", "10000", "--rate", "20000", "--seconds", "1",
                              "--warm-up", "0", "--grace", "30")
    assert (status, report["overslept"]) == (0, 0)


def test_at_a_fixed_rate_the_generator_waits_for_replies_while_every_window_is_full():
    """It shares the processors with what it measures, so it must not ask all the time whether there is room."""
    _, report = run_load(serve(pausing(0.5)), "--rate", "200", "--seconds", "1.5", "--warm-up", "0")
    at_its_limit = (report["seconds"] + 1) * 200  # a second is the longest that it waits for replies at the end
    assert report["wake_ups"] <= 2 * (report["sent"] + report["answered"]) + at_its_limit
