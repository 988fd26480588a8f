"""Each rule of the soak fails on what it is there for, and passes what is lawful."""
import itertools

import pytest

from . import judge
from .judge import Facts
from .ledger import Request, Stream

OK = {"code": 1, "msg": "sent"}
TIMEOUT = {"code": 2, "error": "timeout", "published": "unknown"}
UNAVAILABLE = {"code": 2, "error": "broker_unavailable", "published": "no"}
LOST, FORGOT = Facts(connections_lost=True), Facts(connections_lost=True, forgot=True)
MIB = 1 << 20


def stream_of(*replies, place="rough", qos=1, took=4.0, **more):
    """A stream whose requests were all sent at 100 s with a deadline of 4 s; None: no reply."""
    stream = Stream("made up", **more)
    for number, reply in enumerate(replies):
        stream.add(Request(place, 7, qos, 100.0, 4.0))
        if reply is not None:
            stream.settle({**reply, "id": number}, 100.0 + took)
    return stream


def fan_out(error, published, **brokers):
    return {"code": 2, "error": error, "published": published, "brokers": brokers}


def faults_of(stream):
    return judge.judge_stream(stream)


def arrivals_of(*numbers):
    return [b"%d %d xx" % (stream.number, index) for stream, index in numbers]


def arrived(stream, *indexes, facts=Facts(), broker="rough"):
    return judge.judge_arrivals(broker, facts, [stream], arrivals_of(*((stream, index) for index in indexes)))


def only(found, words):
    assert len(found) == 1 and words in found[0], found


# --- replies
def test_lawful_replies_are_no_violation():
    assert not faults_of(stream_of(OK, TIMEOUT, UNAVAILABLE))
    assert not faults_of(stream_of(fan_out("partial", "some", rough="broker_unavailable", calm="ok"),
                                   fan_out("timeout", "unknown", rough="timeout", calm="ok"), place="both"))
    assert not faults_of(stream_of({"code": 2, "error": "no_route", "published": "no"}, place="nowhere", took=0.0))


def test_a_request_without_a_reply_is_found_unless_its_client_vanished():
    only(faults_of(stream_of(OK, None)), "request 1 (device 7, QoS 1, 4 s): no reply")
    assert not faults_of(stream_of(OK, None, vanished=True))


def test_a_second_reply_is_found():
    stream = stream_of(OK)
    stream.settle({**OK, "id": 0})
    only(faults_of(stream), "a second reply to request 0")


@pytest.mark.parametrize("reply", [{**OK, "id": 5}, {**OK, "id": "0"}, OK])
def test_a_reply_to_no_request_is_found(reply):
    stream = stream_of(OK)
    stream.settle(reply)
    only(faults_of(stream), "belongs to no request")


def test_a_reply_too_many_without_ids_is_found():
    stream = stream_of(OK, ids=False)
    stream.settle(OK)
    only(faults_of(stream), "belongs to no request")


@pytest.mark.parametrize("error, published", [
    ("rejected", "no"), ("overloaded", "no"), ("bad_request", "no"), ("shutting_down", "no"), ("no_route", "no"),
    ("timeout", "no"), ("broker_unavailable", "unknown"), ("partial", "some"), (None, None)])
def test_an_error_that_nothing_has_called_for_is_found(error, published):
    only(faults_of(stream_of({"code": 2, "error": error, "published": published})), "not an allowed reply")


def test_a_code_that_does_not_exist_is_found():
    only(faults_of(stream_of({"code": 3, "error": "timeout", "published": "unknown"})), "not an allowed reply")


@pytest.mark.parametrize("reply", [TIMEOUT, UNAVAILABLE])
def test_any_failure_at_the_calm_broker_is_found(reply):
    only(faults_of(stream_of(reply, place="calm")), "its broker was not disturbed")
    only(faults_of(stream_of({**reply, "error": "timeout", "published": "unknown",
                              "brokers": {"rough": "ok", "calm": "timeout"}}, place="both")), "at the undisturbed broker")


def test_a_partial_failure_that_does_not_name_the_failed_broker_is_found():
    only(faults_of(stream_of(fan_out("partial", "some", calm="ok"), place="both")), "does not name both")


def test_replies_out_of_order_without_ids_are_found():
    """Where a failed one was due a success comes, and the other way round."""
    stream = Stream("made up", ids=False)
    for place in ("rough", "nowhere"):
        stream.add(Request(place, 7, 1, 100.0, 4.0))
    for reply in ({"code": 2, "error": "no_route", "published": "no"}, OK):
        stream.settle(reply, 100.1)
    found = faults_of(stream)
    assert len(found) == 2 and "not an allowed reply" in found[0] and "no range contains its device" in found[1]


@pytest.mark.parametrize("reply", [TIMEOUT, UNAVAILABLE])
def test_giving_up_before_the_deadline_is_found(reply):
    assert not faults_of(stream_of(reply, took=4.0))
    only(faults_of(stream_of(reply, took=3.9)), "given up after 3.900 s")


@pytest.mark.parametrize("reply", [OK, TIMEOUT, UNAVAILABLE])
def test_a_reply_far_behind_its_deadline_is_found(reply):
    assert not faults_of(stream_of(reply, took=4.9))
    only(faults_of(stream_of(reply, took=5.1)), "0.100 s later than allowed")


def test_a_client_that_had_to_wait_to_be_read_is_given_that_time():
    assert not faults_of(stream_of(OK, took=12.9, held_s=8.0))
    only(faults_of(stream_of(OK, took=13.1, held_s=8.0)), "later than allowed")


def test_without_ids_a_reply_may_wait_for_earlier_ones_only():
    for ids, fair in ((False, True), (True, False)):
        stream = Stream("made up", ids=ids)
        for deadline in (4.0, 0.3):
            stream.add(Request("rough", 7, 1, 100.0, deadline))
        for number in range(2):
            stream.settle({**TIMEOUT, "id": number}, 104.0)
        assert bool(faults_of(stream)) != fair


# --- arrivals
def test_an_ordered_run_is_no_violation():
    assert not arrived(stream_of(OK, OK, OK), 0, 1, 2)
    assert not arrived(stream_of(OK, OK, OK), 0, 1, 0, 1, 2, facts=LOST)


@pytest.mark.parametrize("broker, place", [("rough", "rough"), ("calm", "calm"), ("rough", "both"), ("calm", "both")])
@pytest.mark.parametrize("qos", [1, 2])
def test_an_acknowledged_message_that_never_arrived_is_found(broker, place, qos):
    stream = stream_of(OK, OK, place=place, qos=qos)
    only(arrived(stream, 0, broker=broker), "request 1 (device 7, QoS %d): acknowledged, but it never arrived" % qos)
    only(arrived(stream, 0, broker=broker, facts=LOST), "never arrived")
    assert not arrived(stream, 0, broker=broker, facts=FORGOT)


def test_the_acknowledged_copy_of_a_partial_failure_has_to_arrive():
    stream = stream_of(fan_out("partial", "some", rough="broker_unavailable", calm="ok"), place="both")
    only(arrived(stream, broker="calm"), "never arrived")
    assert not arrived(stream, broker="rough")


def test_what_was_not_acknowledged_or_promised_need_not_arrive():
    assert not arrived(stream_of(TIMEOUT, UNAVAILABLE, None))
    assert not arrived(stream_of(OK, qos=0))


def test_an_arrival_after_not_published_is_found():
    only(arrived(stream_of(UNAVAILABLE), 0), "not published")
    stream = stream_of(fan_out("partial", "some", rough="broker_unavailable", calm="ok"), place="both")
    only(arrived(stream, 0, broker="rough"), "not published")
    assert not arrived(stream, 0, broker="calm")
    only(list(judge.judge_stragglers("rough", [stream], arrivals_of((stream, 0)))), "a cycle late")
    assert not list(judge.judge_stragglers("rough", [stream_of(TIMEOUT)], arrivals_of((stream, 0))))


def test_an_arrival_at_a_broker_whose_range_does_not_hold_the_device_is_found():
    found = arrived(stream_of(OK), 0, broker="calm")
    only(found, "does not belong")


@pytest.mark.parametrize("facts", [Facts(), LOST, FORGOT])
def test_first_arrivals_out_of_order_are_found(facts):
    only(arrived(stream_of(OK, OK, OK), 0, 2, 1, facts=facts), "for the first time after request 2")


def test_order_is_that_of_one_device_and_one_qos():
    for changed in ({"device": 8}, {"qos": 2}):
        stream = stream_of(OK, OK)
        for name, value in changed.items():
            setattr(stream.requests[1], name, value)
        assert not arrived(stream, 1, 0)


def test_only_what_timed_out_on_a_lost_connection_may_come_late():
    stream = stream_of(TIMEOUT, OK)
    assert not arrived(stream, 1, 0, facts=LOST)
    only(arrived(stream, 1, 0), "for the first time after")


def test_a_repeat_without_a_lost_connection_is_found():
    only(arrived(stream_of(OK, OK), 0, 1, 1), "arrived twice")


# --- descriptors and memory
def test_one_descriptor_more_or_less_is_found():
    assert not judge.judge_descriptors(38, 38)
    for now in (37, 39):
        only(judge.judge_descriptors(38, now), f"{now} open descriptors")


def test_memory_that_keeps_growing_is_found():
    only(judge.judge_memory([20 * MIB + i * MIB // 2 for i in range(30)]), "resident memory grew by")


def test_memory_that_keeps_growing_slowly_is_found_in_a_longer_run():
    slow = [20 * MIB + i * MIB // 20 for i in range(300)]
    assert not judge.judge_memory(slow[:30])
    assert judge.judge_memory(slow)


def test_memory_that_goes_up_and_down_is_no_violation():
    wave = [20 * MIB + (i % 5) * 3 * MIB for i in range(30)]
    assert not judge.judge_memory(wave)


def test_one_high_moment_is_no_growth():
    assert not judge.judge_memory([20 * MIB] * 29 + [200 * MIB])


def test_the_allowance_for_memory_is_what_it_says():
    for size, most in ((20 * MIB, 2 * MIB), (200 * MIB, 11 * MIB)):
        for grown, violation in ((most, False), (most + 1, True)):
            series = [size] * 10 + [size + grown] * 10
            assert bool(judge.judge_memory(series)) == violation


def test_a_series_too_short_to_be_judged_says_nothing():
    assert judge.growth([1] * (judge.FEWEST_SAMPLES - 1)) is None
    assert judge.growth(list(itertools.repeat(1, judge.FEWEST_SAMPLES))) == 0
