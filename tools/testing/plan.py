"""Which jobs a command line asks for."""
from . import areas, changes
from .jobs import all_jobs
from .model import Mode
from .schedule import with_needs
from .screen import minutes

USAGE = """usage: tools/test [--full | --changed | --only NAME[,NAME...]]

Installs what is missing and runs the jobs marked "always" below, side by side. Each test case and each check counts
one; the last line is "N passed, N failed", and the exit status is 1 if anything failed. Logs are in build/test-logs.

  --full        all jobs but those marked "--only"
  --changed     what depends on the files that differ from the common ancestor with origin/main (or main), committed or
                not; if none does, on those of the last commit
  --only NAMES  these jobs, and the builds they need

What each job takes on two idle cores with an empty compiler cache:
"""


class UsageError(Exception):
    """Something about the arguments."""


def plan(arguments):
    """The jobs to run (None: only help is asked for), and lines about the choice."""
    match arguments:
        case ["-h" | "--help"]:
            return None, []
        case []:
            return plain()
        case ["--full"]:
            return [job for job in all_jobs() if job.mode is not Mode.ASKED and job.name != "tidy-changed"], []
        case ["--changed"]:
            return changed(*changes.changed_files())
        case ["--only", names]:
            return only(names.split(","))
    raise UsageError(f"unknown arguments: {' '.join(arguments)}")


def plain():
    """Without git, or where no source has changed, clang-tidy has nothing to do."""
    to_tidy, notes = [], []
    try:
        to_tidy, notes = tidied(changes.changed_files()[1])
    except changes.NoGit as why:
        notes = [f"no clang-tidy, as git does not say what has changed: {why}"]
    return [job for job in all_jobs(to_tidy=to_tidy)
            if job.mode is Mode.PLAIN and (to_tidy or job.name != "tidy-changed")], notes


def only(names):
    to_tidy, notes = tidied(changes.changed_files()[1]) if "tidy-changed" in names else ([], [])
    jobs = all_jobs(to_tidy=to_tidy)
    unknown = set(names) - {job.name for job in jobs}
    if unknown:
        raise UsageError(f"no such job: {', '.join(sorted(unknown))}")
    return with_needs(names, jobs), notes


def changed(revision, files):
    scope, unknown = areas.Scope(), []
    for file in files:
        own = areas.scope_of(file)
        scope |= own
        unknown += [file] if own.is_empty() else []
    to_tidy, notes = tidied(files)
    to_format = [file for file in areas.formatted() if file in files]
    black_box = areas.black_box_files(scope.black_box)
    names = {"layers"} | scope.jobs
    names |= {name for name, some in (("format", to_format), ("tidy-changed", to_tidy), ("unit", scope.unit),
                                      ("black-box", black_box)) if some}
    if unknown:
        notes.append(f"no test depends on {', '.join(unknown)}")
    notes.insert(0, f"{len(files)} files differ from {revision[:12]}")
    return with_needs(names, all_jobs(to_format, to_tidy, scope.unit, black_box)), notes


def tidied(files):
    to_tidy, left = areas.sources_to_tidy(files)
    return to_tidy, [f"clang-tidy over {left} more sources is left to --full"] if left else []


def usage():
    jobs = all_jobs()
    width = max(len(job.name) for job in jobs)
    return USAGE + "\n".join(f"  {minutes(job.takes):>5}  {job.name:{width}}  {job.mode.value:6}  {job.what}"
                             for job in jobs)
