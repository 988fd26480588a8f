"""The kinds of jobs: each function returns what a Job's run() does."""
import concurrent.futures
import json
import os
import re

from .builds import ROOT, introspect
from .counting import count_check, count_junit
from .model import Result, failed

PYTEST = ("/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q")
CORES = os.cpu_count() or 1
TIDY = "build/tidy"
FUZZ_S = 60  # of a core, for each fuzzer


def missing(*programs):
    absent = [str(program.relative_to(ROOT)) for program in programs if not os.access(program, os.X_OK)]
    return f"was not built: {', '.join(absent)}" if absent else ""


def check(*command, needs=()):
    """A command that counts one; the programs it needs have to have been built."""
    def run(task):
        if missing(*needs):
            return failed(task.job.name, missing(*needs))
        return count_check(task.job.name, task.command(command), task.file("log"))
    return run


def clang_format(files):
    command = check("clang-format", "--style=file", "--dry-run", "-Werror", *files)
    # Without a file it would read its standard input.
    return command if files else lambda task: failed(task.job.name, "there is no file")


def pytest(*arguments, sluice=None, prefix=lambda task: (), **environment):
    """Tests in Python, and the sluice they are about."""
    def run(task):
        if sluice and missing(sluice):
            return failed(task.job.name, missing(sluice))
        found = {"SLUICE_BIN": str(sluice)} if sluice else {}
        xml = task.file("xml")
        ended = task.command([*prefix(task), *PYTEST, f"--junitxml={xml}", *arguments], **found, **environment)
        return count_junit(task.job.name, ended, xml, task.file("log"))
    return run


def unit_tests(build, only=None):
    """Meson's tests, or those of these names, as many at once as there are cores."""
    def run(task):
        tests = {test["name"]: test["cmd"] for test in introspect("--tests", build.folder)}
        wanted = tests.keys() if only is None else only
        result = Result()
        with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
            for part in pool.map(lambda name: unit_test(task, f"unit-{name}", tests[name]), wanted):
                result.add(part)
        return result
    return run


def unit_test(task, name, command):
    """One test program, which speaks JUnit as Catch2 does; the program is the command's last word."""
    if not os.access(command[-1], os.X_OK):
        return failed(name, "was not built")
    log, xml = task.file("log", name), task.file("xml", name)
    ended = task.command([*command, "-r", "junit", "-o", xml], name)
    return count_junit(name, ended, xml, log)


def tsan_unit_test(program):
    return lambda task: unit_test(task, task.job.name, [*unmoved(program, "--list-tests")(task), program])


def fuzzers(build):
    """All at once, for as long as it takes that each has had a core for FUZZ_S."""
    def run(task):
        programs = [target["filename"][0] for target in introspect("--targets", build.folder)
                    if target["type"] == "executable" and "/tests/fuzz/" in target["defined_in"]]
        seconds = max(FUZZ_S, FUZZ_S * len(programs) // CORES)
        result = Result()
        with concurrent.futures.ThreadPoolExecutor(max(1, len(programs))) as pool:
            for part in pool.map(lambda program: fuzz(task, program, seconds), programs):
                result.add(part)
        return result
    return run


def fuzz(task, program, seconds):
    """What it finds new goes to build/corpus, what fails beside the logs."""
    name = os.path.basename(program)
    grown = ROOT / "build" / "corpus" / name
    grown.mkdir(parents=True, exist_ok=True)
    ended = task.command([program, f"-max_total_time={seconds}", "-print_final_stats=1",
                          f"-dict=tests/fuzz/{name.removeprefix('fuzz-')}.dict", f"-artifact_prefix={task.logs}/{name}-",
                          grown, f"tests/fuzz/corpus/{name}"], name)
    return count_check(name, ended, task.file("log", name))


def unmoved(program, argument):
    """A prefix for what runs under TSan: where the kernel spreads addresses further than this TSan knows
    (vm.mmap_rnd_bits), it starts only without that."""
    def prefix(task):
        log = f"{task.job.name}.start"
        if task.command([program, argument], log).status == 0:
            return ()
        refused = "unexpected memory mapping" in task.file("log", log).read_text(errors="replace")
        return ("setarch", "-R") if refused else ()
    return prefix


def systemd_unit(program):
    """Its program is the one built here: systemd-analyze looks whether it is there. An unknown key is a warning, so no
    word is allowed."""
    def run(task):
        unit = task.logs / "sluice.service"
        text = (ROOT / "conf/systemd/sluice.service").read_text()
        unit.write_text(re.sub(r"(?m)^ExecStart=\S*", f"ExecStart={program}", text))
        said = task.file("log", f"{task.job.name}.verify")
        ended = task.command(["systemd-analyze", "verify", unit], f"{task.job.name}.verify")
        if said.read_text(errors="replace").strip():
            return failed(task.job.name, said.read_text(errors="replace"))
        if ended.status == 0:
            ended = task.command(["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit])
        return count_check(task.job.name, ended, task.file("log"))
    return run


def clang_tidy(files=None):
    """clang-tidy over these sources, or all in src, by a build directory that is never built: it looks at a file once
    for each program it goes into, and the fuzzers compile some layers again."""
    def run(task):
        wanted = files
        if wanted is None:
            wanted = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "src").rglob("*.cc"))
        if not wanted:  # run-clang-tidy would take all
            return failed(task.job.name, "no source has changed")
        ended = set_up_tidy(task)
        if ended.status != 0:
            return count_check(task.job.name, ended, task.file("log"))
        unknown = set(wanted) - compiled(ROOT / TIDY)
        if unknown:
            return failed(task.job.name, f"not part of the build: {', '.join(sorted(unknown))}")
        patterns = [f"^{re.escape(str(ROOT / file))}$" for file in wanted]
        ended = task.command(["run-clang-tidy", "-quiet", "-p", TIDY, f"-j{CORES}", *patterns])
        return count_check(task.job.name, ended, task.file("log"))
    return run


def set_up_tidy(task):
    if (ROOT / TIDY / "build.ninja").exists():
        return task.command(["ninja", "-C", TIDY, "build.ninja"])
    return task.command(["meson", "setup", TIDY, "--buildtype=debug", "-Dtests=false", "-Dbenchmarks=false", "-Db_pch=false"],
                        CC="clang", CXX="clang++")


def compiled(folder):
    """The sources that a build directory knows."""
    commands = json.loads((folder / "compile_commands.json").read_text())
    files = (os.path.realpath(os.path.join(command["directory"], command["file"])) for command in commands)
    return {os.path.relpath(file, ROOT) for file in files}
