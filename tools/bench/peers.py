"""The peers from npm: installed on demand from lock files below build/bench/peers, left out where that cannot be."""

import filecmp
import os
import pathlib
import shutil

from processes import Failure, Missing, answers, run_bounded, say, start_on_a_port

SOURCES = pathlib.Path(__file__).resolve().parent / "peers"
FOLDERS = {"node": "node-bridge", "node-red": "node-red"}


class Peers:
    def __init__(self, processes, folder, may_install):
        self.processes = processes
        self.folder = folder / "peers"
        self.may_install = may_install
        self.missing = {}  # subject: why

    def start(self, subject, broker_port, scenario):
        """(process, port); raises Missing."""
        where = self.installed(subject)
        try:
            return self.start_node(where, broker_port, scenario) if subject == "node" else self.start_node_red(
                where, broker_port)
        except Failure as failure:
            raise self.leave_out(subject, failure) from failure

    def start_node(self, where, broker_port, scenario):
        def command_at(port):
            return ["node", str(where / "bridge.js"), str(port), str(broker_port), str(scenario.links),
                    str(scenario.link_windows[0])]

        return start_on_a_port(self.processes, "node", command_at, answers, 20)

    def start_node_red(self, where, broker_port):
        environment = {**os.environ, "BENCH_BROKER_PORT": str(broker_port)}

        def command_at(port):
            environment["BENCH_PORT"] = str(port)
            return ["node", "-r", str(where / "loopback.js"), str(where / "node_modules/node-red/red.js"), "--userDir",
                    str(where), "--settings", str(where / "settings.js")]

        return start_on_a_port(self.processes, "node-red", command_at, answers, 60, env=environment, cwd=where)

    def leave_out(self, subject, why):
        self.missing[subject] = str(why)
        say(f"{subject} is left out: {why}")
        return Missing(str(why))

    def installed(self, subject):
        """The folder of an installed peer; what was found missing once is not tried again in this run."""
        if subject in self.missing:
            raise Missing(self.missing[subject])
        try:
            return self.install(subject)
        except Missing as missing:
            raise self.leave_out(subject, missing) from missing

    def install(self, subject):
        source, where = SOURCES / FOLDERS[subject], self.folder / FOLDERS[subject]
        if not shutil.which("node"):
            raise Missing("there is no node; `tools/install-deps bench` installs it")
        lock, done = source / "package-lock.json", where / "installed.json"
        if not (done.exists() and filecmp.cmp(lock, done, shallow=False)):
            if not self.may_install:
                raise Missing("not installed; a full run installs it")
            if not shutil.which("npm"):
                raise Missing("there is no npm; `tools/install-deps bench` installs it")
            say(f"installing {subject} into {where}")
            where.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, where, dirs_exist_ok=True)
            command = ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund",
                       "--loglevel=error"]
            try:
                status, _, errors = run_bounded(command, 300, cwd=where)
            except Failure as late:
                raise Missing(str(late)) from late
            if status != 0:
                raise Missing("npm ci failed: " + " ".join(errors.split())[:200])
            shutil.copy(lock, done)
        shutil.copytree(source, where, dirs_exist_ok=True)
        return where
