"""A real Prometheus reads what sluice says, and its own tool agrees with the alert rules in conf/prometheus."""
import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from harness import net
from harness.client import request
from harness.process import Process
from harness.replies import assert_success
from harness.waiting import BOUND_S, wait_until

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf" / "prometheus"
RULES = CONF / "sluice-alerts.yml"


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """With the configuration of conf/prometheus, but for the port that it scrapes and how often."""

    def __init__(self, folder, admin_port):
        text = (CONF / "prometheus.yml").read_text(encoding="utf-8")
        text, ports = re.subn(r"127\.0\.0\.1:9580", f"127.0.0.1:{admin_port}", text)
        text, intervals = re.subn(r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s", text)
        assert (ports, intervals) == (1, 2)
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")
        (folder / RULES.name).write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
        self.port = net.free_port()
        self._process = Process([
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}"])

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=BOUND_S) as response:
                return json.load(response)["data"]
        except OSError:
            assert self._process.is_running(), self._process.output()
            return None

    def value(self, expression):
        """The one value of an expression, or None."""
        data = self.get("query", query=expression)
        if not data or len(data["result"]) != 1:
            return None
        return float(data["result"][0]["value"][1])

    def close(self):
        self._process.kill()


@pytest.mark.slow
def test_a_prometheus_scrapes_it(rig, lab):
    """It takes 5 s until its first scrape. Fast: test_every_series_of_every_broker_is_there_from_the_start_at_0 in
    test_metrics.py has promtool read the same text, and test_the_example_configuration_is_valid the rules."""
    client = rig.client()
    for _ in range(5):
        assert_success(client.ask(request()))
    prometheus = lab.keep(Prometheus(lab.folder, rig.sluice.admin_port))
    wait_until(lambda: prometheus.value('up{job="sluice"}') == 1, "up is 1", bound_s=2 * BOUND_S)
    assert prometheus.value('sluice_requests_total{broker="main",result="ok"}') == 5
    assert prometheus.value('sluice_publish_latency_seconds_bucket{broker="main",le="+Inf"}') == 5
    target = prometheus.get("targets")["activeTargets"][0]
    assert (target["health"], target["lastError"]) == ("up", "")
    groups = wait_until(lambda: prometheus.get("rules")["groups"], "the alert rules")
    rules = wait_until(lambda: [rule for rule in prometheus.get("rules")["groups"][0]["rules"]
                                if all(r["health"] == "ok" for r in prometheus.get("rules")["groups"][0]["rules"])],
                       "each rule was evaluated")
    assert len(groups) == 1 and len(rules) == len(alerts())
    assert {rule["state"] for rule in rules} == {"inactive"}
    kinds = {name: entries[0]["type"] for name, entries in prometheus.get("metadata").items()}
    assert kinds["sluice_requests_total"] == "counter" and kinds["sluice_queued"] == "gauge"
    assert kinds["sluice_publish_latency_seconds"] == "histogram"


def alerts():
    return re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))


def test_the_example_configuration_is_valid():
    promtool("check", "config", CONF / "prometheus.yml")
    promtool("check", "rules", RULES)


def test_each_alert_fires_when_it_should_and_only_then():
    cases = ROOT / "tests" / "prometheus" / "alerts.yml"
    assert set(alerts()) == set(re.findall(r'alertname="(\w+)"', cases.read_text(encoding="utf-8")))
    promtool("test", "rules", cases)


def test_each_alert_leads_to_a_place_that_says_what_to_do():
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    anchors = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", operations, re.MULTILINE)}
    text = RULES.read_text(encoding="utf-8")
    assert re.findall(r'runbook: "docs/operations\.md#(\w+)"', text) == [name.lower() for name in alerts()]
    assert {name.lower() for name in alerts()} <= anchors
    assert text.count("summary:") == text.count("remedy:") == len(alerts())


def test_the_alerts_that_wake_somebody_up_are_those_of_the_documentation():
    critical = re.findall(r"- alert: (\w+)(?:(?!- alert).)*?severity: critical", RULES.read_text(encoding="utf-8"),
                          re.DOTALL)
    sentence = re.search(r"^Page someone for (.*?)\.", (ROOT / "docs/operations.md").read_text(encoding="utf-8"),
                         re.MULTILINE)[1]
    assert re.findall(r"`(\w+)`", sentence) == critical


def test_each_metric_is_explained(shared_rig):
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name in re.findall(r"^# TYPE (sluice_\w+)", shared_rig.sluice.http("/metrics")[1], re.MULTILINE):
        assert f"`{name}" in operations, name
