"""The program as a file: what it does to the libraries that it is linked with."""
import re
import subprocess

from harness import sluice as harness

BEGINNINGS_OF_ANY_PROGRAM = {"_init", "_fini"}


def functions(path, *options):
    """The functions that nm finds defined there."""
    listing = subprocess.run(["nm", "--defined-only", "--format=posix", *options, path], check=True, capture_output=True,
                             text=True).stdout
    return {name.split("@")[0] for name, kind, *_ in map(str.split, listing.splitlines()) if kind in "TtWi"}


def libc_of(path):
    linked = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    return re.search(r"libc\.so\.6 => (\S+)", linked)[1]


def test_the_program_takes_no_function_of_the_c_library_away_from_other_libraries():
    path = harness.binary()
    libc = functions(libc_of(path), "-D")
    assert {"read", "write", "socketpair"} <= libc
    for options in ((), ("-D",)):
        assert (functions(path, *options) & libc) - BEGINNINGS_OF_ANY_PROGRAM == set()


def test_the_program_takes_no_room_on_the_stacks_of_threads():
    """glibc puts thread-local variables on each thread's stack, and starts none whose stack they leave too small: 16 KiB
    is the smallest there is."""
    headers = subprocess.run(["readelf", "--program-headers", "--wide", harness.binary()], check=True, capture_output=True,
                             text=True).stdout
    assert re.search(r"^ +LOAD ", headers, re.MULTILINE), headers
    sizes = [int(size, 16) for size in re.findall(r"^ +TLS +\S+ +\S+ +\S+ +\S+ +(0x\w+)", headers, re.MULTILINE)]
    assert sum(sizes) <= 1024
