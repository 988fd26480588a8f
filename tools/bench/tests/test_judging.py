"""What decides over figures, with figures that are made up."""

import judging
import pytest
from scenarios import SCENARIOS, TARGETS, Scenario, Target

RAW = {"ok": 1000, "messages_per_s": 500.0, "sent": 1010, "answered": 1010, "lost_connections": 0, "unsent": 0,
       "errors": {}, "rate": 0, "peak_mib": 12.5,
       "latency_us": {"p50": 10.0, "p99": 20.0, "p999": 30.0, "max": 40.0},
       "cpu_us_per_message": {"generator": 0.5, "broker": 2.0, "bridge": 3.5}}
AT_MOST = Target("cpu", "cpu_us", ("load", "sluice"), ("load", "limit"), 1.5, False)
AT_LEAST = Target("rate", "messages_per_s", ("load", "sluice"), ("load", "limit"), 0.65, True)


def rounds(figure, *numbers):
    return [None if number is None else {figure: number} for number in numbers]


def test_the_cpu_of_the_bridge_is_taken_and_not_the_generators():
    assert judging.figures_of(RAW)["cpu_us"] == 3.5


def test_a_publisher_is_its_own_bridge():
    assert judging.figures_of(RAW, "generator")["cpu_us"] == 0.5


def test_errors_unanswered_requests_and_lost_connections_are_failures():
    raw = {**RAW, "sent": 1013, "lost_connections": 2, "errors": {"timeout": 4, "overloaded": 1}}
    assert judging.figures_of(raw)["failed"] == 3 + 2 + 5


def test_a_run_without_a_success_has_no_rate_no_latency_and_no_cost():
    found = judging.figures_of({**RAW, "ok": 0, "messages_per_s": 0.0, "latency_us": {"p50": 0.0}})
    assert [found[name] for name in ("messages_per_s", "p50_us", "p99_us", "cpu_us")] == [None] * 4


def test_a_process_whose_cpu_could_not_be_read_has_none():
    raw = {**RAW, "cpu_us_per_message": {"generator": 0.5}}
    assert judging.figures_of(raw)["cpu_us"] is None


def test_median_least_and_most_of_the_rounds():
    found = judging.summarize([5, 1, 9, 2, 7])
    assert (found.median, found.least, found.most, found.rounds) == (5, 1, 9, 5)


def test_a_round_without_a_figure_does_not_count_as_0():
    found = judging.summarize([None, 4, None, 6])
    assert (found.median, found.least, found.rounds) == (5, 4, 2)


def test_nothing_measured_is_nothing():
    assert judging.summarize([]) is None
    assert judging.summarize([None, None]) is None


def test_a_ratio_is_of_figures_of_the_same_round():
    # Of the medians it would be 20 / 20; each pair says 2, 1 and 4.
    found = judging.ratio([20, 10, 80], [10, 10, 20])
    assert (found.median, found.least, found.most) == (2, 1, 4)


def test_rounds_that_lack_one_side_are_no_pair():
    found = judging.ratio([20, None, 30], [10, 10, None])
    assert (found.median, found.rounds) == (2, 1)


def test_nothing_is_divided_by_0():
    assert judging.ratio([20], [0]) is None


def test_a_difference_may_be_below_0():
    assert judging.difference([10, 12, 14], [11, 11, 11]).median == 1
    assert judging.difference([10], [11]).median == -1


@pytest.mark.parametrize("numbers, word", [((15,), "met"), ((16,), "missed"), ((10, 10, 40), "met")])
def test_at_most_is_judged_by_the_median(numbers, word):
    measured = {("load", "sluice"): rounds("cpu_us", *numbers),
                ("load", "limit"): rounds("cpu_us", *[10] * len(numbers))}
    assert judging.judge(AT_MOST, measured).word == word


@pytest.mark.parametrize("number, word", [(65, "met"), (64, "missed")])
def test_at_least_is_judged_the_other_way(number, word):
    measured = {("load", "sluice"): rounds("messages_per_s", number),
                ("load", "limit"): rounds("messages_per_s", 100)}
    assert judging.judge(AT_LEAST, measured).word == word


@pytest.mark.parametrize("measured", [{}, {("load", "sluice"): rounds("cpu_us", 10)},
                                      {("load", "sluice"): rounds("cpu_us", 10),
                                       ("load", "limit"): rounds("cpu_us", None)}])
def test_a_target_without_both_sides_is_neither_met_nor_missed(measured):
    verdict = judging.judge(AT_MOST, measured)
    assert (verdict.word, verdict.reached) == ("not measured", None)


def test_a_value_stands_alone():
    target = Target("memory", "idle_kib", ("idle", "sluice"), (), 2, False, "value", "KiB")
    assert judging.judge(target, {("idle", "sluice"): rounds("idle_kib", 1.5, 1.7, 9)}).word == "met"


def test_a_difference_is_judged_as_one():
    target = Target("latency", "p50_us", ("single", "sluice"), ("single", "limit"), 60, False, "difference", "us")
    measured = {("single", "sluice"): rounds("p50_us", 120), ("single", "limit"): rounds("p50_us", 70)}
    assert judging.judge(target, measured).word == "met"


def test_a_quick_run_gives_no_verdict():
    measured = {("load", "sluice"): rounds("cpu_us", 100), ("load", "limit"): rounds("cpu_us", 10)}
    assert judging.judge(AT_MOST, measured, is_quick=True).word == "quick run"


def test_failures_add_up_over_everything():
    measured = {("a", "sluice"): [{"failed": 2}, None], ("b", "node"): [{"failed": 3}, {"failed": 0}]}
    assert judging.failures(measured) == 5


def test_a_figure_that_is_nowhere_is_a_gap_and_0_is_none():
    measured = {("a", "sluice"): [{"p50_us": None, "cpu_us": 0}], ("b", "sluice"): [None]}
    expected = {("a", "sluice"): ("p50_us", "cpu_us"), ("b", "sluice"): ("cpu_us",), ("c", "sluice"): ("cpu_us",)}
    assert judging.gaps(measured, expected) == [("a", "sluice", "p50_us"), ("b", "sluice", "cpu_us"),
                                                ("c", "sluice", "cpu_us")]


def test_every_target_is_about_something_that_a_run_measures():
    brought = judging.expected_of(SCENARIOS)
    for target in TARGETS:
        for side in filter(None, (target.above, target.below)):
            assert target.figure in brought[side], target.meaning


def test_waiting_in_a_saturated_broker_is_compared_between_the_halves_without_start_and_end():
    assert judging.waits_of([900, 10, None, 10, 15, 15, 0]) == {"broker_wait_ms": 15, "broker_wait_growth": 1.5}
    assert judging.waits_of([900, 10, 10, 15, 15, 0]) == {"broker_wait_ms": 15, "broker_wait_growth": 1.5}


def test_waiting_that_was_too_short_to_be_compared_is_missing():
    assert judging.waits_of([1, 2, 3]) == {"broker_wait_ms": None, "broker_wait_growth": None}


def test_a_run_against_a_saturated_broker_has_to_bring_its_waiting_times():
    expected = judging.expected_of([Scenario("s", "", ("sluice",), broker="saturated")])
    assert set(expected["s", "sluice"]) > {"broker_wait_ms", "broker_wait_growth"}
