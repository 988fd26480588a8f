"""Behind a load balancer: PROXY protocol headers, where they are required and where they are not."""
import json
import re
import struct

import pytest

from harness.client import encode, frame, request
from harness.replies import assert_success
from harness.sluice import broker_table, run, toml
from harness.waiting import wait_until

V1 = b"PROXY TCP4 10.1.2.3 10.1.2.4 40000 9501\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ADDRESSES = bytes([10, 1, 2, 3, 10, 1, 2, 4]) + struct.pack(">HH", 40000, 9501)


def v2(rest=ADDRESSES, command=0x21, family=0x11):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(rest)) + rest


HEADERS = pytest.mark.parametrize("header", [V1, v2()], ids=["v1", "v2"])
REQUIRED = {"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]}


def assert_refused(client, sluice, pattern):
    """It ends without a reply, and the log says why."""
    assert client.read_until_eof() == b""
    sluice.wait_for_log(pattern)


def assert_nothing_was_published(rig, topic):
    """Neither before nor beside a last message."""
    assert_success(rig.ask(topic, f"last of {topic}"))
    last = f"last of {topic}".encode()
    rig.subscriber.wait_for_payload(last)
    assert rig.subscriber.payloads(topic) == [last]


class Rig:
    """sluice with settings for the PROXY protocol; `header` is what its clients have to send."""

    def __init__(self, lab, header, **server):
        broker = lab.broker()
        self.subscriber = lab.subscriber(broker)
        self.header = header
        self.sluice = lab.sluice(broker, server=server)

    def ask(self, topic, message):
        client = self.sluice.client()
        client.send_raw(self.header + encode(request(topic=topic, message=message)))
        return client.read_reply()


@pytest.fixture(scope="module")
def behind(shared_lab):
    return Rig(shared_lab, V1, **REQUIRED)


@pytest.fixture(scope="module")
def off(shared_lab):
    return Rig(shared_lab, b"")


@HEADERS
def test_the_announced_client_is_in_the_log(behind, topic, header):
    client = behind.sluice.client()
    client.send_raw(header + encode(request(topic=topic)))
    assert_success(client.read_reply())
    port = client.socket.getsockname()[1]
    behind.sluice.wait_for_log(rf"client 10\.1\.2\.3:40000 via 127\.0\.0\.1:{port} #\d+: device 1001 topic {topic}: ok")


@HEADERS
def test_a_header_may_come_byte_by_byte_with_framed_requests_behind_it(behind, header):
    client = behind.sluice.client()
    for byte in header + frame(request())[:3]:
        client.send_raw(bytes([byte]))
        client.wait_until_read()
    client.send_raw(frame(request())[3:])
    assert_success(client.read_frame())


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(b"", command=0x20, family=0)], ids=["unknown", "local"])
def test_a_header_may_announce_no_client(behind, topic, header):
    client = behind.sluice.client()
    client.send_raw(header + encode(request(topic=topic)))
    assert_success(client.read_reply())
    behind.sluice.wait_for_log(rf"client 127\.0\.0\.1:\d+ #\d+: device 1001 topic {topic}: ok")


def test_tlvs_are_skipped_up_to_4096_bytes(behind):
    client = behind.sluice.client()
    client.send_raw(v2(ADDRESSES + b"{" * 4096) + encode(request()))
    assert_success(client.read_reply())
    client = behind.sluice.client()
    client.send_raw(v2(ADDRESSES + b"{" * 4097) + encode(request()))
    assert_refused(client, behind.sluice, "malformed PROXY protocol v2 header: expected at most 4096 bytes of TLVs")


@pytest.mark.parametrize("first, pattern", [
    (b"", "no PROXY protocol header, but .* is \"required\""),
    (b"\n" + V1, "no PROXY protocol header"),
    (b"PROXY TCP4 here there 1 2\r\n", "malformed PROXY protocol v1 header"),
    (b"PROXY " + b"x" * 102, "malformed PROXY protocol v1 header: expected at most 107 bytes"),
    (v2(ADDRESSES[1:]), "malformed PROXY protocol v2 header: expected at least 12 bytes of addresses"),
    (V1 + V1, "v1 header behind another one"),
    (V1 + v2(), "v2 header behind another one"),
], ids=["none", "behind-space", "malformed-v1", "endless-v1", "malformed-v2", "twice", "both"])
def test_without_a_proper_header_nothing_is_published_or_answered(behind, topic, first, pattern):
    client = behind.sluice.client()
    client.send_raw(first + encode(request(topic=topic, message="never")) * 3)
    assert_refused(client, behind.sluice, pattern)
    assert_nothing_was_published(behind, topic)


def test_a_check_of_the_port_that_sends_nothing_is_no_news(lab):
    sluice = Rig(lab, V1, **REQUIRED).sluice
    for _ in range(3):
        client = sluice.client()
        client.half_close()
        assert client.read_until_eof() == b""
    assert "PROXY protocol" not in sluice.log()


def test_a_slow_header_ends_the_connection_and_an_idle_client_stays(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker, server=REQUIRED, limits={"request_timeout_ms": 300})
    idle, slow = sluice.client(), sluice.client()
    slow.send_raw(V1[:10])
    assert_refused(slow, sluice, r"the PROXY protocol header took longer than request_timeout_ms \(300\)")
    idle.send_raw(V1 + encode(request()))
    assert_success(idle.read_reply())


@HEADERS
def test_where_it_is_off_a_header_ends_the_connection_without_a_reply(off, topic, header):
    client = off.sluice.client()
    client.send_raw(header + encode(request(topic=topic, message="never")))
    version = "v1" if header == V1 else "v2"
    assert_refused(client, off.sluice, f"closed: received a PROXY protocol {version} header, but .* is \"off\"")
    client = off.sluice.client()
    for byte in header[:12]:
        client.send_raw(bytes([byte]))
    assert client.read_until_eof() == b""
    assert_nothing_was_published(off, topic)


@HEADERS
def test_a_header_from_an_address_that_is_not_listed_ends_the_connection(lab, topic, header):
    rig = Rig(lab, b"", proxy_protocol="required", proxy_from=["10.0.0.0/8", "::1"])
    for first in (header, b""):
        client = rig.sluice.client()
        client.send_raw(first + encode(request(topic=topic, message="never")))
        assert_refused(client, rig.sluice, r"its address is not in \[server\] proxy_from")
    rig.sluice.config["server"]["proxy_protocol"] = "off"
    rig.sluice.reload()
    assert_nothing_was_published(rig, topic)


def test_repeated_refusals_are_one_line_at_info(lab):
    sluice = lab.sluice(lab.broker(), log={"level": "info"})
    for _ in range(20):
        client = sluice.client()
        client.send_raw(V1 + encode(request()))
        client.read_until_eof()
    assert sluice.log().count("PROXY protocol") == 1
    sluice.stop()
    assert "19 more connections closed because of the PROXY protocol since then" in sluice.log()


def test_a_reload_concerns_new_connections(lab, topic):
    rig = Rig(lab, b"", **REQUIRED)
    before = rig.sluice.client()
    wait_until(lambda: rig.sluice.status()["clients"]["connected"] == 1, "the client is accepted")
    rig.sluice.config["server"]["proxy_protocol"] = "off"
    rig.sluice.reload()
    assert_success(rig.ask(topic, "new"))
    before.send_raw(V1 + encode(request(topic=topic)))
    assert_success(before.read_reply())


def test_a_unix_socket_needs_a_header_only_where_it_is_listed(lab, tmp_path):
    path = tmp_path / "s.sock"
    sluice = lab.sluice(lab.broker(), listen=[f"unix://{path}"], server={**REQUIRED, "instance": "u"})
    client = sluice.client(address=str(path))
    assert_success(client.ask(request()))
    client = sluice.client(address=str(path))
    client.send_raw(V1 + encode(request()))
    assert_refused(client, sluice, "header on a Unix socket, but .* does not list \"unix\"")
    sluice.config["server"]["proxy_from"] = ["unix"]
    sluice.reload()
    client = sluice.client(address=str(path))
    client.send_raw(V1 + encode(request()))
    assert_success(client.read_reply())
    client = sluice.client(address=str(path))
    client.send(request())
    assert_refused(client, sluice, "no PROXY protocol header")


def test_status_names_the_announced_client(lab):
    broker = lab.broker()
    sluice = lab.sluice(broker_table(broker, queue_messages=1, connections=1, max_inflight=1), server=REQUIRED)
    broker.freeze()
    client = sluice.client()
    client.send_raw(V1 + encode(request(timeout_ms=60000)) * 5)
    paused = wait_until(lambda: sluice.status()["clients"]["paused_longest"], "it is paused")
    assert re.fullmatch(r"10\.1\.2\.3:40000 via 127\.0\.0\.1:\d+", paused[0]["peer"])
    broker.thaw()
    assert [reply["code"] for reply in client.read_replies(5)] == [1] * 5


@pytest.mark.parametrize("keys", [{}, {"proxy_from": []}], ids=["missing", "empty"])
def test_check_wants_addresses_where_a_header_is_required(tmp_path, keys):
    file = tmp_path / "sluice.toml"
    file.write_text(toml({"server": {"proxy_protocol": "required", **keys},
                          "broker": [broker_table("mqtt://127.0.0.1")]}), encoding="utf-8")
    status, text = run("check", "-c", str(file))
    assert status == 2
    assert re.search(r":\d+:\d+: server\.proxy_(protocol|from): .*expected the load balancer's addresses", text)


def test_json_lines_name_the_announced_client(lab):
    sluice = lab.sluice(lab.broker(), server=REQUIRED, log={"format": "json"})
    client = sluice.client()
    client.send_raw(V1 + encode(request()))
    assert_success(client.read_reply())
    sluice.wait_for_log("via 127")
    line = next(json.loads(line) for line in sluice.log().splitlines() if "via 127" in line)
    assert re.fullmatch(r"10\.1\.2\.3:40000 via 127\.0\.0\.1:\d+ #\d+", line["client"])
