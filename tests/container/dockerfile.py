"""Reads a Dockerfile as far as ours goes; an unknown instruction is an error, never ignored."""
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

# What an image's processes find in their environment when the Dockerfile sets no PATH.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STEPS = {"RUN", "COPY", "WORKDIR", "ENV", "USER"}
REMARKS = {"LABEL", "EXPOSE"}
SETTINGS = {"STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@dataclass
class Copy:
    sources: list
    target: str
    stage: str | None  # of --from, else the build context


@dataclass
class Stage:
    base: str
    name: str | None
    steps: list = field(default_factory=list)      # (keyword, value), in order
    settings: dict = field(default_factory=dict)   # the last one of each keyword counts
    ports: list = field(default_factory=list)

    def run_commands(self):
        return [value for keyword, value in self.steps if keyword == "RUN"]

    def copies(self):
        return [value for keyword, value in self.steps if keyword == "COPY"]

    def user(self):
        """USER as it stands at the end: "9501:9501", or root's without one."""
        return next((value for keyword, value in reversed(self.steps) if keyword == "USER"), "0:0")

    def environment(self):
        result = {"PATH": DEFAULT_PATH}
        for keyword, value in self.steps:
            if keyword == "ENV":
                result.update(value)
        return result

    def work_folder(self):
        return next((value for keyword, value in reversed(self.steps) if keyword == "WORKDIR"), "/")

    def command(self):
        """What the container starts: both have to be in exec form, for a shell would keep the stop signal to itself."""
        return as_list(self, "ENTRYPOINT") + as_list(self, "CMD")

    def health_command(self):
        options, _, command = self.settings.get("HEALTHCHECK", "").partition("CMD ")
        assert command, "HEALTHCHECK has no CMD"
        return exec_form(command), dict(re.findall(r"--([a-z-]+)=(\S+)", options))

    def packages(self):
        """Names that this stage's apt-get install lines carry."""
        found = []
        for command in self.run_commands():
            for install in re.findall(r"apt-get install ([^&|;]*)", command):
                found += [word for word in install.split() if not word.startswith("-")]
        return found


def exec_form(text):
    assert text.strip().startswith("["), f"expected the exec form [\"program\", …], found {text!r}"
    return json.loads(text)


def as_list(stage, keyword):
    return exec_form(stage.settings[keyword]) if keyword in stage.settings else []


def logical_lines(text):
    """Without comments, and with continued lines made one."""
    lines, pending = [], ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
        else:
            lines.append((pending + line).strip())
            pending = ""
    assert not pending, "the last line is continued"
    return lines


def parse_copy(text):
    words = text.split()
    flags = [word for word in words if word.startswith("--")]
    stage = None
    for flag in flags:
        assert flag.startswith("--from="), f"COPY {flag}: teach it to tests/container/rootfs.py first"
        stage = flag.removeprefix("--from=")
    *sources, target = [word for word in words if not word.startswith("--")]
    return Copy(sources, target, stage)


def parse(text):
    stages = []
    for line in logical_lines(text):
        keyword, _, value = line.partition(" ")
        keyword, value = keyword.upper(), value.strip()
        if keyword == "FROM":
            base, _, name = value.partition(" AS ")
            stages.append(Stage(base, name.strip() or None))
            continue
        stage = stages[-1]
        if keyword == "COPY":
            stage.steps.append((keyword, parse_copy(value)))
        elif keyword == "ENV":
            stage.steps.append((keyword, dict(word.split("=", 1) for word in shlex.split(value))))
        elif keyword in STEPS:
            stage.steps.append((keyword, value))
        elif keyword in SETTINGS:
            stage.settings[keyword] = value
        elif keyword == "EXPOSE":
            stage.ports += [int(port) for port in value.split()]
        else:
            assert keyword in REMARKS, f"{keyword}: teach it to tests/container/dockerfile.py first"
    return stages


def read(path):
    return parse(Path(path).read_text(encoding="utf-8"))
