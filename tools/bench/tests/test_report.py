"""What people read of a run, with figures that are made up."""

import json

import judging
import measuring
import plots
import report
import scenarios
from scenarios import Scenario, Target

LOAD = Scenario("load", "some load", ("sluice", "limit", "node"))
IDLE = Scenario("idle", "silent clients", ("sluice",), kind="idle")
TARGET = Target("throughput, sluice / limit", "messages_per_s", ("load", "sluice"), ("load", "limit"), 0.65, True)


def result(measured, listed=(LOAD,), quick=False):
    return {"machine": "two cores", "versions": {"sluice": "here (1)"}, "load": 0.1, "seconds": 1.0, "rounds": 3,
            "quick": quick, "missing": {"node": "there is no node"}, "scenarios": listed, "measured": measured,
            "verdicts": [judging.judge(TARGET, measured)]}


def cells(text, first, second):
    return next([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
                if line.startswith(f"| {first} | {second} |"))


MEASURED = {("load", "sluice"): [{"messages_per_s": rate, "cpu_us": 2.5, "failed": 0} for rate in (70, 80, 90)],
            ("load", "limit"): [{"messages_per_s": 100, "cpu_us": 1.5, "failed": 0}] * 3,
            ("load", "node"): [None] * 3}


def test_a_target_stands_with_what_was_reached_what_was_wanted_and_the_verdict():
    line = "| throughput, sluice / limit | 0.80 (0.70 to 0.90) | >= 0.65 | met |"
    assert line in report.as_markdown(result(MEASURED)).splitlines()


def test_a_load_shows_median_and_range_and_its_ratio_to_the_limit():
    found = cells(report.as_markdown(result(MEASURED)), "load", "sluice")
    assert found[2:4] == ["80 (70 to 90)", "2.50 (2.50 to 2.50)"]
    assert found[-2:] == ["0.80", "0"]


def test_what_was_not_measured_is_shown_as_missing_and_never_as_0():
    found = cells(report.as_markdown(result(MEASURED)), "load", "node")
    assert found[2:] == ["-"] * 8
    assert "node was left out: there is no node" in report.as_markdown(result(MEASURED))


def test_a_latency_that_is_missing_beside_a_rate_is_missing_too():
    assert cells(report.as_markdown(result(MEASURED)), "load", "sluice")[4] == "-"


def test_waiting_in_a_saturated_broker_stands_with_its_growth():
    listed = (Scenario("full", "a slow broker", ("sluice",), broker="saturated"),)
    measured = {("full", "sluice"): [{"broker_wait_ms": wait, "broker_wait_growth": 1.0} for wait in (7, 8, 9)]}
    line = "| a slow broker | sluice | 8.0 ms in the broker (7.0 to 9.0), growth 1.00 (1.00 to 1.00) |"
    assert line in report.as_markdown(result(measured, listed)).splitlines()


def test_failures_and_late_messages_stand_beside_their_load():
    measured = {**MEASURED, ("load", "sluice"): [{"messages_per_s": 1, "failed": 2, "late": 7}]}
    assert cells(report.as_markdown(result(measured)), "load", "sluice")[-1] == "2 (late 7)"


def test_latency_is_shown_in_milliseconds():
    measured = {("load", "sluice"): [{"p50_us": 1500.0}]}
    assert cells(report.as_markdown(result(measured)), "load", "sluice")[4] == "1.500"


def test_memory_of_silent_clients_has_a_table_of_its_own():
    text = report.as_markdown(result({("idle", "sluice"): [{"idle_kib": 0.91}]}, (IDLE,)))
    assert cells(text, "silent clients", "sluice")[2] == "0.91 KiB a client"


def test_two_binaries_are_compared_round_by_round():
    compared = Scenario("load", "some load", ("sluice", "other"))
    measured = {("load", "sluice"): [{"messages_per_s": 20}, {"messages_per_s": 10}],
                ("load", "other"): [{"messages_per_s": 10}, {"messages_per_s": 10}]}
    assert cells(report.as_markdown(result(measured, (compared,))), "load", "1.50 (1.00 to 2.00)")[3] == "-"


def test_a_quick_run_says_that_its_figures_mean_nothing():
    assert "not how fast anything is" in report.as_text(result(MEASURED, quick=True))
    assert "not how fast anything is" not in report.as_text(result(MEASURED))


def test_json_keeps_every_round_and_null_for_what_is_missing():
    plain = json.loads(json.dumps(report.as_json(result(MEASURED))))
    by_subject = {found["subject"]: found["rounds"] for found in plain["results"]}
    assert [found["messages_per_s"] for found in by_subject["sluice"]] == [70, 80, 90]
    assert by_subject["node"] == [None, None, None]
    assert plain["targets"][0]["reached"]["median"] == 0.8


def test_system_calls_are_read_by_name():
    text = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 58.77    2.765220           9    300067           read
 39.40    1.853679           9    200041     94460 write
------ ----------- ----------- --------- --------- ----------------
100.00    4.618899           9    500108     94460 total
"""
    assert measuring.parse_calls(text) == {"read": 300067, "write": 200041}
    assert measuring.parse_calls("strace: no such process\n") == {}


def test_a_bar_without_a_figure_is_left_empty():
    lines = plots.bars("t", "u", MEASURED, [LOAD], "messages_per_s").splitlines()
    assert "load\t80.000\t100.000\t?" in lines


def test_a_plot_without_a_point_is_not_drawn():
    assert plots.payloads({}, [LOAD]) is None


def test_half_of_a_load_brings_that_load_along():
    named = [s.name for s in scenarios.chosen(["sink-half"], False, False, [])]
    assert named == ["sink", "sink-half"]


def test_a_comparison_measures_the_two_binaries_only():
    listed = scenarios.chosen([], False, True, [])
    assert {subject for scenario in listed for subject in scenario.subjects} == {"sluice", "other"}


def test_a_comparison_leaves_out_what_only_other_subjects_are_measured_in():
    listed = {scenario.name for scenario in scenarios.chosen([], False, True, [])}
    assert "near" in listed and "near-512" not in listed


def test_a_quick_run_has_a_tenth_of_thousands_of_clients_and_says_so():
    many, = scenarios.chosen(["many-narrow"], True, False, [])
    assert (many.clients, many.meaning) == (500, "500 clients x 4 requests")
    paced, = scenarios.chosen(["sink-paced"], True, False, [])
    assert paced.meaning.startswith("5,000 a second")


def test_a_subject_that_is_skipped_is_nowhere():
    listed = scenarios.chosen([], False, False, ["node-red"])
    assert listed and all("node-red" not in scenario.subjects for scenario in listed)
