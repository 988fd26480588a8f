"""What the reports of test programs and checks count as."""
import pytest

from testing.counting import count_check, count_junit
from testing.model import Case
from testing.processes import Ended

WELL = Ended(0, False, 1.0, 1.0)
BADLY = Ended(1, False, 1.0, 1.0)
LATE = Ended(-15, True, 1.0, 1.0)
GOOD = '<testcase name="good" time="0.5"/>'
BAD = '<testcase name="bad" time="2"><failure message="m">first&#10;why</failure></testcase>'
LEFT_OUT = '<testcase name="out"><skipped message="no root"/></testcase>'


@pytest.fixture
def count(tmp_path):
    def count_report(xml, ended):
        (tmp_path / "xml").write_text(xml)
        (tmp_path / "log").write_text("the last words")
        return count_junit("unit", ended, tmp_path / "xml", tmp_path / "log")
    return count_report


def suite(*cases):
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def test_cases_are_counted_by_how_they_ended(count):
    result = count(suite(GOOD, GOOD, BAD, LEFT_OUT), BADLY)
    assert (result.passed, result.skipped, result.reasons) == (2, 1, ["no root"])
    assert [(failure.name, failure.text) for failure in result.failures] == [("unit: bad", "first\nwhy")]
    assert result.cases[2] == Case("unit: bad", 2.0)


def test_a_bad_end_after_good_cases_is_a_failure(count):
    result = count(suite(GOOD), BADLY)
    assert result.passed == 1
    assert [failure.name for failure in result.failures] == ["unit: ended with status 1"]
    assert result.failures[0].text == "the last words"


def test_a_program_that_was_ended_has_failed_beside_its_cases(count):
    assert [failure.name for failure in count(suite(GOOD, BAD), LATE).failures] == ["unit: bad", "unit: did not end in time"]


@pytest.mark.parametrize("report", ["", "<testsuites><testsuite>", "nothing of the kind"])
def test_no_whole_report_is_a_failure(count, report):
    result = count(report, WELL)
    assert (result.passed, len(result.failures)) == (0, 1)
    assert "no report" in result.failures[0].name


def test_a_report_that_is_not_there_is_a_failure(tmp_path):
    result = count_junit("unit", WELL, tmp_path / "xml", tmp_path / "log")
    assert (result.passed, len(result.failures)) == (0, 1)


@pytest.mark.parametrize("cases", [[], [LEFT_OUT]])
def test_a_report_without_a_test_that_ran_is_a_failure(count, cases):
    assert [failure.name for failure in count(suite(*cases), WELL).failures] == ["unit: no test was run"]


def test_a_check_shows_the_lines_that_say_what_is_wrong(tmp_path):
    log = tmp_path / "log"
    log.write_text("[1/2] Compiling\n\x1b[1mx.cc:3: error: no\x1b[0m\n" + "more\n" * 50)
    assert count_check("build", WELL, log).passed == 1
    assert count_check("build", BADLY, log).failures == [("build", "x.cc:3: error: no")]
    assert count_check("build", LATE, log).passed == 0


def test_a_check_without_such_lines_shows_its_end(tmp_path):
    log = tmp_path / "log"
    log.write_text("".join(f"{number}\n" for number in range(99)))
    assert count_check("check", BADLY, log).failures[0].text.splitlines()[-1] == "98"
    assert len(count_check("check", BADLY, log).failures[0].text.splitlines()) == 30
