"""The table of all jobs. What each takes was measured on two idle cores with an empty compiler cache."""
from dataclasses import replace

from . import kinds
from .areas import formatted
from .builds import DEBUG, SANITIZED, Build
from .kinds import CORES, check, pytest
from .model import Job, Lane, Mode

CLANG = {"CC": "clang", "CXX": "clang++"}
TEST = Build("test", SANITIZED)
# Without precompiled headers, so that a missing include is found.
CLANG_BUILD = Build("clang", (*SANITIZED, "-Db_pch=false", "-Dfuzzers=true"), CLANG)
TSAN = Build("tsan", (*DEBUG, "-Db_sanitize=thread", "-Dbenchmarks=false"))
MINIMAL = Build("minimal", (*DEBUG, "-Dadmin=false", "-Dtests=false", "-Dbenchmarks=false"))
# As tools/soak builds it: sanitizers would be most of the memory that is judged.
SOAK = Build("soak", ("--buildtype=debugoptimized", "-Dtests=false", "-Dbenchmarks=false"))

SLUICE = TEST.program("sluice")
LEDGER = "tests/ledger/sluice-ledger"
STORE = "tests/store/sluice-store-faults"
LEDGER_WAYS = (("tls", "over TLS", ("--tls",)), ("3.1.1", "over MQTT 3.1.1", ("--protocol", "3.1.1")),
               ("qos2", "with nothing but QoS 2", ("--qos", "2")))
BENCH = "tools/bench/programs"
UNIT_EVENT = "tests/unit/event/unit-event"


def side_by_side(workers):
    """Black-box tests mostly wait: several for each core. What a file's tests share is made once."""
    return "-n", min(16, workers * CORES), "--dist", "loadfile"


def all_jobs(to_format=None, to_tidy=(), unit=None, black_box=("tests/blackbox",)):
    """Files for clang-format and clang-tidy, names of unit programs, black-box files or folders; None: all."""
    to_format = formatted() if to_format is None else to_format
    return [
        Job("format", "clang-format changes nothing", 2, 60, kinds.clang_format(to_format)),
        Job("layers", "no include breaks the order of the layers", 1, 60, check("tools/check-layers")),
        Job("tools", "the tests of tools/test itself and of tools/check-layers", 5, 120, pytest("tools/testing/tests")),
        Job("build", "sluice with g++, ASan and UBSan", 92, 1800,
            TEST.job("sluice", fresh=["sluice"]), lane=Lane.FILL),
        Job("build-tests", "the unit tests, the ledger and the benchmark in the same way", 86, 1800,
            TEST.job(fresh=["unit-*", "sluice-*"]), after=("build",), lane=Lane.FILL),
        Job("unit", "the unit tests", 11, 600, kinds.unit_tests(TEST, unit), after=("build-tests",)),
        Job("black-box", "sluice against a real Mosquitto and stand-ins for brokers", 75, 1500,
            pytest(*side_by_side(4), "-m", "not slow", *black_box, sluice=SLUICE, SLUICE_SANITIZED="1"), after=("build",)),
        Job("ledger", "every promise under every fault, two seeds", 36, 300,
            check(TEST.program(LEDGER), "--binary", SLUICE, "--seeds", "1..2", "--quick",
                  needs=[SLUICE, TEST.program(LEDGER)]), after=("build-tests",)),
        Job("store", "the durable queue's file under power cuts, I/O errors and a full disk", 45, 600,
            check(TEST.program(STORE), needs=[TEST.program(STORE)]), after=("build-tests",)),
        Job("bench", "that the benchmark still measures everything", 8, 300,
            check("tools/bench/run", "--quick", "--binary", SLUICE, "--programs", TEST.program(BENCH),
                  "--out", "build/test-bench", needs=[SLUICE]), after=("build-tests",)),
        Job("bench-tests", "the benchmark's own judgement and programs", 7, 120,
            pytest("tools/bench/tests", BENCH_PROGRAMS=TEST.program(BENCH)), after=("build-tests",)),
        Job("soak-judge", "what a soak takes for a violation", 1, 60, pytest("tests/soak")),
        Job("container-files", "Dockerfile, compose.yaml and their documentation against one another", 1, 120,
            pytest("tests/container/test_files.py", sluice=SLUICE), after=("build",)),
        Job("systemd-unit", "systemd accepts the unit and takes it for safe", 2, 60,
            kinds.systemd_unit(SLUICE), after=("build",)),
        Job("tidy-changed", "clang-tidy over changed sources, and over those that include changed headers", 30, 900,
            kinds.clang_tidy(to_tidy), lane=Lane.FILL),
    ] + more_jobs()


def more_jobs():
    """For --full."""
    soak, tsan = SOAK.program("sluice"), TSAN.program("sluice")
    jobs = [
        Job("store-seeds", "the same with two more seeds", 90, 1200,
            check(TEST.program(STORE), "--seeds", "2..3", needs=[TEST.program(STORE)]), after=("build-tests",)),
        *[Job(f"ledger-{way}", f"every promise {how}, one seed", 18, 300,
              check(TEST.program(LEDGER), "--binary", SLUICE, "--seeds", "3", "--quick", *options,
                    needs=[SLUICE, TEST.program(LEDGER)]), after=("build-tests",))
          for way, how, options in LEDGER_WAYS],
        Job("slow", "the slow black-box tests", 52, 1500,
            pytest(*side_by_side(2), "-m", "slow", "tests/blackbox", sluice=SLUICE, SLUICE_SANITIZED="1"), after=("build",)),
        Job("brokers", "sluice against Mosquitto, RabbitMQ, ejabberd and aedes", 50, 360,
            pytest("-n", "4", "--dist", "loadgroup", "tests/brokers", sluice=SLUICE, SLUICE_SANITIZED="1"), after=("build",)),
        Job("build-clang", "everything with clang, without precompiled headers", 140, 1800,
            CLANG_BUILD.job(), lane=Lane.FILL),
        Job("fuzz", "the fuzzers, a minute of a core for each", 182, 600,
            kinds.fuzzers(CLANG_BUILD), after=("build-clang",), lane=Lane.FILL),
        Job("build-tsan", "sluice and unit-event with TSan", 90, 1800, TSAN.job("sluice", UNIT_EVENT), lane=Lane.FILL),
        # Name resolution is all that runs off the loop, so this is what resolves names, and what connects again and
        # again. Left out: frozen brokers, whose tests are about amounts of data that take too long here.
        Job("tsan-unit", "what uses the thread pool, under TSan", 1, 300,
            kinds.tsan_unit_test(TSAN.program(UNIT_EVENT)), after=("build-tsan",)),
        Job("tsan-black-box", "what resolves names and connects again, under TSan", 28, 600,
            pytest(*side_by_side(2), "-k", "not frozen", "tests/blackbox/test_broker_faults.py",
                   "tests/blackbox/test_broker_names.py", "tests/blackbox/test_tls.py",
                   sluice=tsan, prefix=kinds.unmoved(tsan, "--version"), SLUICE_SANITIZED="1"), after=("build-tsan",)),
        Job("build-minimal", "sluice without admin", 46, 900, MINIMAL.job(), lane=Lane.FILL),
        Job("minimal", "the minimal build starts", 1, 30,
            check(MINIMAL.program("sluice"), "--version", needs=[MINIMAL.program("sluice")]), after=("build-minimal",)),
        Job("tidy", "clang-tidy over all of src", 260, 2400, kinds.clang_tidy(), lane=Lane.FILL),
        Job("build-soak", "sluice as it is, without sanitizers", 50, 1800, SOAK.job(), lane=Lane.FILL),
        Job("soak", "two minutes of load while a broker is killed, frozen and cut off", 121, 420,
            check("tools/soak", "--binary", soak, "2", needs=[soak]), after=("build-soak",), lane=Lane.ALONE),
        Job("limits", "the limits, with an eye on memory and descriptors", 30, 600,
            pytest("tests/blackbox/test_limits.py", "tests/blackbox/test_client_memory.py",
                   "tests/blackbox/test_descriptors.py", sluice=soak),
            after=("build-soak",), lane=Lane.ALONE),
    ]
    image = Job("image", "the container image, built without an engine, and run; needs root", 900, 3600,
                pytest("tests/container/test_image.py"), lane=Lane.ALONE, mode=Mode.ASKED)
    return [replace(job, mode=Mode.FULL) for job in jobs] + [image]
