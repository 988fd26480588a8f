"""User names, passwords, protocols and addresses of brokers."""
import socket

import pytest

from harness.client import encode, request
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table
from harness.waiting import wait_until

BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])
SECRET = "correct-horse-battery"


@BOTH
def test_a_user_name_and_password_are_sent(lab, protocol):
    broker = lab.broker(passwords={"shop": SECRET})
    sluice = lab.sluice(broker_table(broker, username="shop", password=SECRET, protocol=protocol))
    assert_success(sluice.client().ask(request()))
    assert SECRET not in sluice.log()


@pytest.mark.parametrize("content", [f"{SECRET}\nnot this\n", f"{SECRET}\r\n", f"\ufeff{SECRET}\r\n"],
                         ids=["lines", "crlf", "byte-order-mark"])
def test_a_password_may_be_the_first_line_of_a_file(lab, tmp_path, content):
    file = tmp_path / "password"
    file.write_bytes(content.encode())
    broker = lab.broker(passwords={"shop": SECRET})
    sluice = lab.sluice(broker_table(broker, username="shop", password_file=str(file)))
    assert_success(sluice.client().ask(request()))


def test_a_password_may_come_from_the_environment(lab):
    broker = lab.broker(passwords={"shop": SECRET})
    sluice = lab.sluice(broker_table(broker, username="shop", password="${SLUICE_TEST_PASSWORD}"),
                        env={"SLUICE_TEST_PASSWORD": SECRET})
    assert_success(sluice.client().ask(request()))


@BOTH
def test_a_wrong_password_is_said_once_tried_again_and_never_printed(lab, protocol):
    broker = lab.broker(passwords={"shop": SECRET})
    sluice = lab.sluice(
        broker_table(broker, username="shop", password="wrong-" + SECRET, protocol=protocol, connections=1,
                     reconnect_max_ms=100), until="alive", log={"level": "info"})
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "broker_unavailable")
    wait_until(lambda: broker.log().count("not authorised") >= 5, "five refusals in the broker's log")
    # The line about the request that failed, which repeats the reason, comes a second after it.
    said = [line for line in sluice.log().splitlines() if "broker main" in line
            if "answered broker_unavailable" not in line
            if any(word in line.lower() for word in ("authori", "password", "user name", "username", "credential"))]
    assert len(said) == 1, sluice.log()
    assert SECRET not in sluice.log()


# --- both protocols do the same work
@BOTH
def test_every_qos_and_retain_arrive(lab, protocol):
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    client = lab.sluice(broker_table(broker, protocol=protocol)).client()
    for qos in (0, 1, 2):
        assert_success(client.ask(request(topic=f"q/{qos}", message=f"m{qos}", qos=qos, retain=qos == 2)))
    received = {m.topic: (m.payload, m.qos, m.retain) for m in subscriber.wait_for(3)}
    assert received == {"q/0": (b"m0", 0, False), "q/1": (b"m1", 1, False), "q/2": (b"m2", 2, True)}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_2000_messages_arrive_in_order_over_3_1_1(lab, qos):
    """Over MQTT 5: test_order.py."""
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    client = lab.sluice(broker_table(broker, protocol="3.1.1")).client()
    client.send_in_background(b"".join(encode(request(message=i, qos=qos)) for i in range(2000)))
    assert_successes(client, 2000)
    subscriber.wait_for(2000)
    assert subscriber.payloads() == [str(i).encode() for i in range(2000)]


@BOTH
def test_a_frozen_broker_is_a_timeout(lab, protocol):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(broker, protocol=protocol))
    broker.freeze()
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "timeout", "unknown")


def test_a_3_1_1_broker_acknowledges_what_it_discards(lab):
    broker = lab.broker(acl="topic readwrite allowed/#\n")
    client = lab.sluice(broker_table(broker, protocol="3.1.1")).client()
    assert_success(client.ask(request(topic="denied")))


# --- addresses
@BOTH
def test_a_broker_may_have_an_ipv6_address(lab, protocol):
    broker = lab.broker(host="::1")
    assert_success(lab.sluice(broker_table(broker, protocol=protocol)).client().ask(request()))


def test_the_addresses_of_a_name_are_taken_in_turn(lab):
    """localhost is ::1 and 127.0.0.1 where the hosts file says so; the broker listens on one of them."""
    for host in sorted({info[4][0] for info in socket.getaddrinfo("localhost", None)}):
        broker = lab.broker(host=host)
        sluice = lab.sluice(broker_table(f"mqtt://localhost:{broker.port}"))
        assert_success(sluice.client().ask(request()))
