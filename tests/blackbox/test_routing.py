"""Which broker a device belongs to: the one whose range holds it, both bounds exclusive."""
import pytest

from harness.client import encode, request
from harness.replies import assert_failure, assert_success, assert_successes
from harness.sluice import broker_table


@pytest.fixture
def side_by_side(lab):
    """Two brokers, west for 1…999 and east for 1001…1999, a subscriber at each, one sluice."""
    west, east = lab.broker(), lab.broker()
    sluice = lab.sluice(broker_table(west, "west", 0, 1000), broker_table(east, "east", 1000, 2000))
    return sluice, lab.subscriber(west), lab.subscriber(east)


def test_each_device_reaches_its_own_broker_and_no_other(side_by_side):
    sluice, west, east = side_by_side
    client = sluice.client()
    for device in (1, 500, 999, 1001, 1500, 1999):
        assert_success(client.ask(request(device=device, message=device)))
    west.wait_for(3)
    east.wait_for(3)
    assert (west.payloads(), east.payloads()) == ([b"1", b"500", b"999"], [b"1001", b"1500", b"1999"])


def test_both_bounds_of_a_range_lie_outside_it(side_by_side):
    sluice, west, east = side_by_side
    client = sluice.client()
    for device in (-1, 0, 1000, "1000", "01000", 2000, 2001):
        assert_failure(client.ask(request(device=device)), "no_route")
    assert_success(client.ask(request(device=999)))
    west.wait_for(1)
    assert (len(west.messages()), len(east.messages())) == (1, 0)


def test_one_connection_may_serve_both_brokers_in_turn(side_by_side):
    sluice, west, east = side_by_side
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=1 + 1000 * (i % 2), message=i)) for i in range(200)))
    assert_successes(client, 200)
    west.wait_for(100)
    east.wait_for(100)
    assert west.payloads() == [str(i).encode() for i in range(0, 200, 2)]
    assert east.payloads() == [str(i).encode() for i in range(1, 200, 2)]


def test_a_range_may_hold_a_single_device(lab):
    broker = lab.broker()
    client = lab.sluice(broker_table(broker, low=6, high=8)).client()
    assert [client.ask(request(device=d))["code"] for d in (6, 7, 8, "007")] == [2, 1, 2, 1]
