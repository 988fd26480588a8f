"""A run counts what its jobs came to, and nothing is green by accident."""
import io

import pytest

from testing import kinds
from testing.model import Case, Job, Result, failed
from testing.processes import Processes
from testing.run import run_all
from testing.screen import Screen


@pytest.fixture
def run(tmp_path):
    processes = Processes(grace_s=0.2)

    def run_jobs(*jobs, limit_s=60):
        out = io.StringIO()
        screen = Screen(out, clock=lambda: 61.0)
        screen.summary(run_all(jobs, processes, screen, tmp_path, limit_s))
        return out.getvalue().splitlines()
    yield run_jobs
    processes.close()


def job(name, perform, **more):
    return Job(name, "", 1, 60, perform, **more)


def cases(*seconds):
    return Result(passed=len(seconds), cases=[Case(f"case of {number} s", number) for number in seconds])


def test_the_last_line_counts_and_the_slowest_cases_stand_before_it(run):
    lines = run(job("a", lambda task: cases(*range(20))), job("b", lambda task: failed("b: case", "why")))
    assert lines[-1] == "20 passed, 1 failed"
    assert [line.split()[0] for line in lines[-11:-1]] == [f"{number}.0" for number in range(19, 9, -1)]
    assert "  b: case" in lines
    assert "           why" in lines


def test_each_job_has_a_line_for_its_beginning_and_one_with_its_time_for_its_end(run):
    lines = run(job("a", lambda task: cases(1)))
    assert lines[:2] == ["  0:00  a: started", "  0:00  a: 1 passed, 0 failed in 0:00 (CPU 0:00)"]


def test_a_job_that_checked_nothing_has_failed(run):
    assert run(job("a", lambda task: Result(skipped=3)))[-1] == "0 passed, 1 failed"


def test_a_job_that_breaks_has_failed(run):
    lines = run(job("a", lambda task: 1 // 0))
    assert lines[-1] == "0 passed, 1 failed"
    assert any("ZeroDivisionError" in line for line in lines)


def test_commands_of_a_job_are_bounded_by_its_limit(run):
    slow = Job("slow", "", 1, 0.1, kinds.check("sleep", "1000"))
    assert run(slow, job("a", lambda task: cases(1)))[-1] == "1 passed, 1 failed"


def test_what_has_not_ended_when_the_time_of_the_whole_run_is_up_has_failed(run):
    stuck, never = job("stuck", kinds.check("sleep", "1000")), job("never", kinds.check("true"), after=("stuck",))
    lines = run(stuck, never, limit_s=0.2)
    assert lines[-1] == "0 passed, 2 failed"


def test_a_program_that_was_not_built_fails_what_needs_it(run):
    absent = kinds.ROOT / "build/no-such-folder/sluice"
    lines = run(job("a", kinds.check("true", needs=[absent])), job("b", kinds.pytest("tests", sluice=absent)),
                job("c", lambda task: kinds.unit_test(task, "unit-x", [absent])))
    assert lines[-1] == "0 passed, 3 failed"
    assert any("was not built: build/no-such-folder/sluice" in line for line in lines)


def test_a_test_program_is_counted_by_its_cases(run, tmp_path):
    (tmp_path / "test_x.py").write_text("def test_good(): pass\ndef test_bad(): assert 1 == 2\n")
    lines = run(job("python", kinds.pytest(tmp_path / "test_x.py")))
    assert lines[-1] == "1 passed, 1 failed"
    assert any("assert 1 == 2" in line for line in lines)


def test_a_test_program_in_which_nothing_is_selected_has_failed(run, tmp_path):
    (tmp_path / "test_x.py").write_text("def test_good(): pass\n")
    assert run(job("python", kinds.pytest("-k", "nothing", tmp_path / "test_x.py")))[-1] == "0 passed, 1 failed"


def test_a_look_at_no_file_has_failed(run):
    assert run(job("tidy", kinds.clang_tidy([])), job("format", kinds.clang_format([])))[-1] == "0 passed, 2 failed"
