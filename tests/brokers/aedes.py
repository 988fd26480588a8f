"""aedes, a broker in JavaScript, installed from a lock file on demand below build."""
import filecmp
import shutil
import subprocess
from pathlib import Path

from harness.broker_process import BrokerProcess

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "aedes-broker"
INSTALLED = HERE.parents[1] / "build" / "test-brokers" / "aedes"
INSTALL_LIMIT_S = 120


def install():
    lock, done = SOURCE / "package-lock.json", INSTALLED / "installed.json"
    if not (done.exists() and filecmp.cmp(lock, done, shallow=False)):
        for program in ("node", "npm"):
            assert shutil.which(program), f"there is no {program}; tools/install-deps brokers installs it"
        shutil.copytree(SOURCE, INSTALLED, dirs_exist_ok=True)
        npm = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=INSTALLED, timeout=INSTALL_LIMIT_S, capture_output=True, text=True, check=False)
        assert npm.returncode == 0, f"npm ci failed: {npm.stdout}{npm.stderr}"
        shutil.copy(lock, done)
    shutil.copytree(SOURCE, INSTALLED, dirs_exist_ok=True)


class Aedes(BrokerProcess):
    """It refuses MQTT 5 with a CONNACK, and disconnects on a topic of more levels than it takes."""
    protocol, keys, max_qos = "3.1.1", {"max_topic_levels": 100}, 2

    def __init__(self, _folder):
        install()
        super().__init__("aedes")

    def start(self):
        return self._run(["node", str(INSTALLED / "broker.mjs"), str(self.port)], cwd=INSTALLED)
