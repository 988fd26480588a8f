"""Which job starts when."""
import pytest

from testing.jobs import all_jobs
from testing.model import Job, Lane
from testing.schedule import Schedule, ranks, with_needs


def job(name, takes=1, after=(), lane=Lane.TEST):
    return Job(name, "", takes, 60, lambda task: None, after, lane)


def started(schedule):
    return [job.name for job in schedule.start()]


def test_as_many_tests_run_as_there_are_cores():
    jobs = [job(name) for name in "abc"]
    schedule = Schedule(jobs, cores=2)
    assert started(schedule) == ["a", "b"]
    assert started(schedule) == []
    schedule.end(jobs[0])
    assert started(schedule) == ["c"]


def test_one_that_fills_the_cores_runs_beside_tests_but_not_beside_another():
    schedule = Schedule([job("a", lane=Lane.FILL), job("b", lane=Lane.FILL), job("test")], cores=1)
    assert set(started(schedule)) == {"a", "test"}


def test_a_job_waits_for_what_it_needs():
    build, test = job("build"), job("test", after=("build",))
    schedule = Schedule([test, build], cores=2)
    assert started(schedule) == ["build"]
    schedule.end(build)
    assert started(schedule) == ["test"]


def test_a_job_does_not_wait_for_one_that_is_not_part_of_the_run():
    assert started(Schedule([job("test", after=("build",))], cores=1)) == ["test"]


def test_the_longest_test_starts_first():
    jobs = [job("short", 5), job("build", 1), job("long", 9, after=("build",))]
    assert ranks(jobs) == {"short": 5, "build": 10, "long": 9}
    assert started(Schedule(jobs, cores=1)) == ["build"]


def test_of_those_that_fill_the_one_starts_first_after_which_tests_take_longest():
    jobs = [job("tidy", 99, lane=Lane.FILL), job("small", lane=Lane.FILL), job("build", lane=Lane.FILL),
            job("test", 5, after=("build",)), job("fuzz", 99, after=("small",), lane=Lane.FILL)]
    assert started(Schedule(jobs, cores=1)) == ["build"]
    assert ranks(jobs)["small"] == ranks(jobs)["tidy"] == 0


def test_one_that_judges_memory_runs_when_all_else_is_over_and_beside_nothing():
    test, alone, other = job("test"), job("alone", 9, lane=Lane.ALONE), job("other", 5, lane=Lane.ALONE)
    later = job("later", after=("alone",))
    schedule = Schedule([alone, other, test, later], cores=4)
    assert started(schedule) == ["test"]
    schedule.end(test)
    assert started(schedule) == ["alone"]
    assert started(schedule) == []
    schedule.end(alone)
    assert started(schedule) == ["later"]
    schedule.end(later)
    assert started(schedule) == ["other"]
    assert [left.name for left in schedule.left()] == ["other"]
    schedule.end(other)
    assert schedule.is_over()


def test_what_a_job_needs_comes_along_in_the_order_of_the_table():
    jobs = [job("build"), job("x"), job("more", after=("build",)), job("test", after=("more",))]
    assert [job.name for job in with_needs(["test"], jobs)] == ["build", "more", "test"]


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_each_job_of_the_table_gets_its_turn(cores):
    jobs = all_jobs()
    schedule, running, seen = Schedule(jobs, cores), [], set()
    while not schedule.is_over():
        running += schedule.start()
        assert running, f"{[job.name for job in schedule.left()]} never start"
        for job in running:
            assert seen >= set(job.after), f"{job.name} starts too early"
        schedule.end(running[0])
        seen.add(running.pop(0).name)
    assert len(seen) == len(jobs)
