"""What clients make sluice hold stays within the bound, however they send. tools/test runs this file twice, as
test_limits.py: memory is judged only without sanitizers.
"""
from harness.client import encode, request
from harness.fake_broker import withhold
from harness.memory import KIB, MIB, assert_bounded
from harness.replies import assert_success
from harness.sluice import broker_table
from harness.waiting import wait_until

# 256 characters, each of which is six in JSON.
LONG_ID = b'"' + b"\\u0001" * 256 + b'"'


def with_long_ids(count, device):
    """Requests with an id of 1,538 bytes, which their replies repeat."""
    plain = encode(request(device=device, message=""))
    return (plain[:-1] + b',"id":' + LONG_ID + b"}") * count


def test_replies_that_come_all_at_once_and_are_not_read_are_bounded(lab, tmp_path):
    """Each client has as many requests unanswered as it may, when all of them are answered."""
    path = str(tmp_path / "s.sock")
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(
        broker_table(fake, connections=4, max_inflight=1000, ack_timeout_ms=120000, keepalive_s=600,
                     queue_bytes=4 * MIB, inflight_bytes=MIB),
        listen=[f"unix://{path}"], limits={"output_bytes": 65536, "input_bytes": 4 * MIB},
        defaults={"publish_timeout_ms": 60000})
    clients = []
    for number in range(60):
        client = sluice.client(address=path)
        clients.append(client)
        fake.on_publish = withhold
        client.send_in_background(with_long_ids(1200, 1 + number))
        wait_until(lambda number=number: sluice.status()["clients"]["paused"] > number, "it has all that it may have")
        fake.recover()
        wait_until(lambda number=number: sluice.status()["clients"]["paused"] > number
                   and sluice.broker_status()["in_flight"] == 0, "it leaves its replies unread")
    assert_bounded(sluice, "60 clients with long ids that read no reply", 60, unread=60)
    for client in clients:
        assert client.read_reply()["id"] == "\x01" * 256


def test_halves_of_large_requests_are_bounded_also_where_all_come_at_once(lab):
    size = 545 * KIB  # a little more than one of the steps in which the memory of a request grows
    sluice = lab.sluice(broker_table(lab.broker(), queue_bytes=MIB, inflight_bytes=MIB),
                        limits={"input_bytes": 16 * MIB})
    half = encode(request(message="x" * 2 * size))[:size]
    clients = [sluice.client() for _ in range(200)]
    for client in clients:
        client.send_in_background(half)
    wait_until(lambda: sluice.status()["clients"]["connected"] < 200, "some are ended")
    assert_bounded(sluice, f"200 clients with {size // KIB} KiB of a request", 200)
    assert_success(sluice.client().ask(request()))
