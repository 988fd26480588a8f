"""Builds, and what Meson says of them."""
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .counting import count_check

ROOT = Path(__file__).resolve().parents[2]

# Programs of an earlier build must not be tested in place of ones that no longer build.
PROGRAMS = ("sluice", "sluice-*", "unit-*", "fuzz-*")

# Unoptimized: compiling takes most of the time, and g++ with optimization and sanitizers warns of what is not so.
# -g1 has the lines for the sanitizers' reports and compiles faster.
DEBUG = ("--buildtype=debug", "-Dcpp_args=-g1")
SANITIZED = (*DEBUG, "-Db_sanitize=address,undefined", "-Db_lundef=false")

SCRIPT = 'source tools/common.sh; meson_build "$@"'


@dataclass(frozen=True)
class Build:
    """A build directory below build/, always made with the same options."""
    name: str
    options: tuple
    environment: dict = field(default_factory=dict)

    @property
    def folder(self):
        return ROOT / "build" / self.name

    def program(self, path):
        return self.folder / path

    def job(self, *targets, fresh=PROGRAMS):
        """Builds the targets, or everything; what is named like `fresh` is linked again."""
        def run(task):
            remove_programs(self.folder, fresh)
            log = task.file("log")  # written by meson_build
            ended = task.command(
                ["bash", "-c", SCRIPT, "bash", f"build/{self.name}", task.job.limit, log, *targets, "--", *self.options],
                f"{task.job.name}.script", **self.environment)
            return count_check(task.job.name, ended, log)
        return run


def remove_programs(folder, patterns):
    for pattern in patterns:
        for file in folder.rglob(pattern):
            if file.is_file() and os.access(file, os.X_OK):
                file.unlink()


def introspect(what, folder):
    done = subprocess.run(["meson", "introspect", what, str(folder)], check=True, capture_output=True)
    return json.loads(done.stdout)
