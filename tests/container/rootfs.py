"""Builds the stages of a Dockerfile without a container engine: each in its own root file system, made with debootstrap
from this machine's mirrors, RUN with chroot in its own namespaces, COPY by copying."""
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

import dockerfile

IMAGE = re.compile(r"debian:([a-z]+)-slim")
# The variables that change how apt reaches its mirrors, above all proxies.
REACHING = re.compile(r"^Acquire::(http|https|Check|Retries|Force)[^ ]* \"[^\"]+\";")


def run(*command, **more):
    """Runs it to the end; shows its output only if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


def missing(folder):
    """The reason why no root file system can be built and entered in this folder, or None."""
    if os.getuid() != 0:
        return "only root may make a root file system and enter it"
    for program in ("debootstrap", "unshare", "nsenter", "setpriv", "mosquitto"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            return f"{program} is missing: tools/install-deps run container"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "true"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"this machine allows no new namespaces: {tried.stderr.strip()}"
    device = folder / "device"
    try:
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        device.read_bytes()
    except OSError as error:
        return f"no device file can be made and used in {folder}, but a root file system needs some: {error.strerror}"
    finally:
        device.unlink(missing_ok=True)
    return None


def sources(suite):
    """This machine's own apt sources of a Debian release, as (address, release, component)."""
    lines = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    found = {tuple(line.split()) for line in lines.splitlines()}
    return sorted(line for line in found if line[1] in (suite, f"{suite}-updates", f"{suite}-security"))


class Base:
    """The image that both stages start from. Made once, which takes minutes, and kept as a tarball."""

    def __init__(self, image, folder):
        known = IMAGE.fullmatch(image)
        assert known, f"FROM {image}: expected debian:SUITE-slim, which debootstrap can make"
        self.suite = known[1]
        self.sources = sources(self.suite)
        if self.suite not in [release for _, release, _ in self.sources]:
            pytest.skip(f"no apt source of this machine has Debian {self.suite}: add one to /etc/apt/sources.list.d")
        self._tarball = folder / f"{self.suite}-minbase.tar"

    def unpack(self, root):
        if not self._tarball.exists():
            self._make(root.parent / "debootstrap")
        root.mkdir()
        run("tar", "-xf", self._tarball, "-C", root, "--numeric-owner")
        self._connect(root)

    def _make(self, root):
        mirror = next(address for address, release, _ in self.sources if release == self.suite)
        run("debootstrap", "--variant=minbase", self.suite, root, mirror)
        # As in the image: no waiting for the disk after each file, no packages kept, no manual pages.
        (root / "etc/dpkg/dpkg.cfg.d/image").write_text("force-unsafe-io\npath-exclude=/usr/share/doc/*\n"
                                                        "path-exclude=/usr/share/man/*\n", encoding="ascii")
        for package in (root / "var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        half = self._tarball.with_suffix(".half")
        run("tar", "-cf", half, "-C", root, "--numeric-owner", ".")
        half.rename(self._tarball)
        shutil.rmtree(root)

    def _connect(self, root):
        """Gives it this machine's access to the mirrors, as an engine gives its network."""
        lines = [f"deb {' '.join(source)}\n" for source in self.sources]
        (root / "etc/apt/sources.list").write_text("".join(lines), encoding="utf-8")
        settings = [line + "\n" for line in run("apt-config", "dump").splitlines() if REACHING.match(line)]
        (root / "etc/apt/apt.conf.d/machine").write_text("".join(settings), encoding="utf-8")
        for file in ("etc/resolv.conf", "etc/hosts"):
            if Path("/", file).exists():
                shutil.copyfile(Path("/", file), root / file)
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists() and any(address.startswith("https:") for address, _, _ in self.sources):
            target = root / str(authorities).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(authorities, target)


class Image:
    """All stages of a Dockerfile, built. `root` and `stage` are the last one's."""

    def __init__(self, context, folder, cache):
        self._context = context
        self._roots = {}
        self.log = []
        stages = dockerfile.read(context / "Dockerfile")
        for number, stage in enumerate(stages):
            root = folder / (stage.name or f"stage-{number}")
            Base(stage.base, cache).unpack(root)
            self._roots[stage.name or str(number)] = root
            self._build(stage, root)
            self.stage, self.root = stage, root

    def _build(self, stage, root):
        work_folder, environment, user = "/", {"PATH": dockerfile.DEFAULT_PATH}, "0:0"
        environment |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        for keyword, value in stage.steps:
            if keyword == "RUN":
                self._run(root, value, work_folder, environment, user)
            elif keyword == "COPY":
                self._copy(root, value, work_folder)
            elif keyword == "ENV":
                environment = environment | value
            elif keyword == "USER":
                user = value
            elif keyword == "WORKDIR":
                work_folder = os.path.join(work_folder, value)
                inside(root, work_folder).mkdir(parents=True, exist_ok=True)

    def _run(self, root, command, work_folder, environment, user):
        """Runs it in its own mount and process namespaces: mounts and processes end with it."""
        number, group = user.split(":")
        as_user = [] if number == "0" else [f"--setuid={number}", f"--setgid={group}"]
        self.log.append(f"RUN {command}\n" + run(
            "setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child",
            f"--root={root}", "--mount-proc", f"--wd={work_folder}", *as_user, "/usr/bin/env", "-i",
            *[f"{name}={text}" for name, text in environment.items()], "/bin/sh", "-c", command))

    def _copy(self, root, copy, work_folder):
        origin = self._roots[copy.stage] if copy.stage else self._context
        target = inside(root, os.path.join(work_folder, copy.target))
        for name in copy.sources:
            source = inside(origin, name)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            else:
                place = target / source.name if copy.target.endswith("/") or target.is_dir() else target
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, place)


def inside(root, path):
    return root / path.lstrip("/")
