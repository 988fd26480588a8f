"""Reads the part of the Dockerfile syntax that ours uses; an unknown instruction is an error."""
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

# PATH of an image's processes if the Dockerfile sets none.
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
        """The last USER: "9501:9501", or root's without one."""
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
        """The container's command: both must be in exec form, because a shell would not pass on the stop signal."""
        return as_list(self, "ENTRYPOINT") + as_list(self, "CMD")

    def health_command(self):
        options, _, command = self.settings.get("HEALTHCHECK", "").partition("CMD ")
        assert command, "HEALTHCHECK has no CMD"
        return exec_form(command), dict(re.findall(r"--([a-z-]+)=(\S+)", options))

    def packages(self):
        """The packages in this stage's apt-get install lines."""
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
    """Removes comments and joins continued lines."""
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
