"""Which jobs a command line asks for, and what depends on a changed file."""
import re
import subprocess

import pytest

from testing import areas
from testing.builds import ROOT
from testing.changes import NoGit, changed_files
from testing.jobs import all_jobs
from testing.model import Mode
from testing.plan import UsageError, changed, plan, usage


def names(jobs):
    return {job.name for job in jobs}


def test_a_full_run_has_every_job_but_those_to_be_asked_for():
    asked = {job.name for job in all_jobs() if job.mode is Mode.ASKED}
    assert names(plan(["--full"])[0]) == names(all_jobs()) - asked - {"tidy-changed"}


def test_one_job_comes_with_its_build_only():
    assert names(plan(["--only", "minimal"])[0]) == {"build-minimal", "minimal"}


@pytest.mark.parametrize("arguments", [["--only", "nonsense"], ["--only"], ["--quick"], ["--full", "x"]])
def test_what_is_not_understood_is_refused(arguments):
    with pytest.raises(UsageError):
        plan(arguments)


def test_help_has_every_job():
    assert all(f"  {name} " in usage() for name in names(all_jobs()))


def test_each_layer_is_in_the_table():
    assert areas.BLACK_BOX.keys() == areas.layers_below().keys()


def test_each_unit_program_is_in_the_table():
    programs = set()
    for file in [*ROOT.glob("tests/**/meson.build"), *ROOT.glob("tools/**/meson.build")]:
        programs |= set(re.findall(r"^\s*test\('([^']+)'", file.read_text(), re.MULTILINE))
    assert areas.ALL_UNIT == programs


def test_each_black_box_file_is_in_the_table():
    rows = [*areas.BLACK_BOX.values(), *(scope.black_box for _, scope in areas.ROWS), {"test_harness"}]
    listed, there = areas.black_box_files(set().union(*rows)), areas.black_box_files({"test_*"})
    assert set(there) - set(listed) == set(), "to be added to BLACK_BOX in tools/testing/areas.py"


def test_each_job_in_the_table_exists():
    assert set().union(*(scope.jobs for _, scope in areas.ROWS)) <= names(all_jobs())


def test_a_source_concerns_its_layer_and_those_above():
    scope = areas.scope_of("src/protocol/decoder.cc")
    assert {"protocol", "client", "cli"} <= scope.unit
    assert not {"base", "config", "event", "ledger-program"} & scope.unit
    assert areas.black_box_files(scope.black_box) == [
        f"tests/blackbox/test_{name}.py" for name in ("framing", "large", "odd_clients", "replies", "requests")]


@pytest.mark.parametrize("file, unit, black_box", [
    ("tests/unit/client/ends_test.cc", {"client"}, set()),
    ("tests/unit/catch.h", areas.ALL_UNIT, set()),
    ("tests/blackbox/test_unix.py", set(), {"test_unix"}),
    ("tests/blackbox/harness/net.py", set(), {"test_*"}),
    ("meson.build", areas.ALL_UNIT, set()),
    ("LICENSE", set(), set()),
])
def test_what_depends_on_a_file_beside_the_sources(file, unit, black_box):
    scope = areas.scope_of(file)
    assert (scope.unit, scope.black_box) == (unit, black_box)


def test_a_changed_source_runs_its_unit_programs_its_black_box_files_and_the_builds_they_need():
    jobs, notes = changed("0123456789abcdef", ["src/mqtt/gone.cc", "LICENSE"])
    assert names(jobs) == {"layers", "build", "build-tests", "unit", "black-box", "ledger"}
    assert notes == ["2 files differ from 0123456789ab", "no test depends on LICENSE"]


def test_a_changed_black_box_file_needs_no_unit_tests():
    assert names(changed("x", ["tests/blackbox/test_unix.py"])[0]) == {"layers", "build", "black-box"}


def test_changed_sources_are_tidied_and_those_that_include_a_changed_header(tmp_path):
    (tmp_path / "src/base").mkdir(parents=True)
    for name, text in (("a.cc", ""), ("b.cc", '#include "base/b.h"\n'), ("c.cc", "// base/b.h\n")):
        (tmp_path / "src/base" / name).write_text(text)
    assert areas.sources_to_tidy(["src/base/a.cc", "src/base/b.h", "src/base/gone.cc", "tests/x.cc"], tmp_path) == (
        ["src/base/a.cc", "src/base/b.cc"], 0)


def test_at_most_so_many_sources_are_tidied_and_the_rest_is_counted(tmp_path):
    (tmp_path / "src/base").mkdir(parents=True)
    for number in range(areas.TIDY_MOST + 2):
        (tmp_path / f"src/base/{number}.cc").write_text('#include "base/b.h"\n')
    sources, left = areas.sources_to_tidy(["src/base/b.h"], tmp_path)
    assert (len(sources), left) == (areas.TIDY_MOST, 2)


class Repository:
    """One of git, with a commit."""

    def __init__(self, root):
        self.root = root
        self.git("init", "-b", "main")
        self.commit("first")

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=self.root, check=True,
                       capture_output=True)

    def write(self, name, text="text"):
        (self.root / name).write_text(text)

    def commit(self, name):
        self.write(name)
        self.git("add", ".")
        self.git("commit", "-m", name)

    def changed(self):
        return changed_files(self.root)[1]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


def test_commits_of_a_branch_count_as_changed_and_so_do_files_not_committed(repository):
    repository.git("checkout", "-b", "branch")
    repository.commit("second")
    repository.write("third")
    repository.write("first", "otherwise")
    assert repository.changed() == ["first", "second", "third"]


def test_on_main_itself_it_is_what_is_not_committed(repository):
    repository.commit("second")
    repository.write("third")
    assert repository.changed() == ["third"]


def test_with_nothing_of_both_it_is_the_last_commit(repository):
    repository.commit("second")
    assert repository.changed() == ["second"]


def test_what_the_remote_main_lacks_is_changed_on_main_as_well(repository):
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.commit("second")
    repository.commit("third")
    assert repository.changed() == ["second", "third"]


def test_what_is_ignored_and_what_was_deleted(repository):
    repository.commit("second")
    repository.write(".gitignore", "ignored")
    repository.write("ignored")
    (repository.root / "second").unlink()
    assert repository.changed() == [".gitignore", "second"]


def test_where_git_knows_nothing_there_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(NoGit):
        changed_files(tmp_path)
