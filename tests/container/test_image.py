"""The image of Dockerfile, built and run without a container engine: the stages' own commands in root file systems, then
its command as process 1 against a real Mosquitto."""
import shlex
import signal
import time
from pathlib import Path

import pytest
import yaml

from container import Container
from harness import net
from harness.client import request
from harness.process import Process
from harness.replies import assert_failure, assert_success
from harness.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICE = COMPOSE["services"]["sluice"]
ENVIRONMENT = {**SERVICE["environment"], "SLUICE_BROKER_URL": "mqtt://127.0.0.1:1883", "SLUICE_CONNECTIONS": "2"}
GRACE_S = float(SERVICE["stop_grace_period"].removesuffix("s"))


@pytest.fixture
def broker(lab):
    return lab.broker(port=1883)


@pytest.fixture
def start(lab, image):
    """start(environment, mounts, arguments) runs a container that ends with the test."""
    return lambda *arguments, **more: lab.keep(Container(image, *arguments, **more))


def test_it_runs_as_process_1_without_root_and_answers(lab, broker, start, image):
    subscriber = lab.subscriber(broker)
    container = start(ENVIRONMENT).wait_for("/readyz")
    assert_success(container.client().ask(request()))
    subscriber.wait_for(1)
    status = container.status()
    assert status["NSpid"].split()[-1] == "1"
    user, group = image.stage.user().split(":")
    assert status["Uid"].split() == [user] * 4 and status["Gid"].split() == [group] * 4
    assert user != "0" and int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert container.execute(["/bin/sh", "-c", ": >/written"])[0] != 0, "its file system can be written to"


def test_the_stop_signal_lets_it_answer_what_is_in_flight_and_exit_with_0(broker, start):
    container = start(ENVIRONMENT).wait_for("/readyz")
    broker.freeze()
    client = container.client()
    client.send(request())
    client.wait_until_read()
    began = time.monotonic()
    container.stop()
    wait_until(lambda: not net.accepts(9501), "the listener closes")
    broker.thaw()
    assert_success(client.read_reply())
    assert client.read_until_eof() == b""
    assert container.wait() == 0, container.log()
    assert time.monotonic() - began < GRACE_S


def test_it_ends_within_the_grace_period_of_compose_even_if_the_broker_never_answers(broker, start):
    container = start(ENVIRONMENT).wait_for("/readyz")
    broker.freeze()
    client = container.client()
    client.send(request(timeout_ms=60000))
    client.wait_until_read()
    began = time.monotonic()
    container.stop()
    assert_failure(client.read_reply(), "timeout", published="unknown")
    assert container.wait() == 0, container.log()
    assert time.monotonic() - began < GRACE_S


def test_the_health_check_says_healthy_while_it_serves_and_not_while_it_hangs(broker, start, image):
    command, options = image.stage.health_command()
    container = start(ENVIRONMENT).wait_for("/readyz")
    assert container.execute(command) == (0, "healthy\n")
    container.signal(signal.SIGSTOP)
    began = time.monotonic()
    status, output = container.execute(command)
    container.signal(signal.SIGCONT)
    assert status == 1 and "no answer" in output
    assert time.monotonic() - began < float(options["timeout"].removesuffix("s"))
    assert container.execute(command)[0] == 0
    broker.stop()
    wait_until(lambda: container.http("/readyz") == 503, "/readyz says 503")
    assert container.execute(command)[0] == 0, "a broker that is down is no reason to restart it"


def test_the_health_check_follows_the_admin_address_and_names_one_where_nobody_listens(broker, start, image):
    command, _ = image.stage.health_command()
    container = start({**ENVIRONMENT, "SLUICE_ADMIN_LISTEN": "[::1]:9999"})
    wait_until(lambda: net.accepts(9501), "the listener")
    assert container.execute(command) == (0, "healthy\n")
    status, output = container.execute(["/usr/bin/env", "SLUICE_ADMIN_LISTEN=0.0.0.0:9580", *command])
    assert status == 1 and output.startswith("127.0.0.1:9580: connection refused")


def test_a_mounted_file_takes_the_place_of_the_variables(broker, start, tmp_path):
    file = tmp_path / "sluice.toml"
    file.write_text(f'[replies]\nsuccess = "mounted"\n[server]\nlisten = ["tcp://0.0.0.0:9501"]\n'
                    f'[[broker]]\nname = "a"\nurl = "{broker.url}"\nmin_dev_no = 0\nmax_dev_no = 2000\n', encoding="utf-8")
    container = start(mounts={file: "/etc/sluice/sluice.toml"}).wait_for("/readyz")
    assert container.client().ask(request())["msg"] == "mounted"


def test_without_its_required_variables_it_names_them_and_ends_with_2(start):
    container = start()
    assert container.wait() == 2
    for name in ("SLUICE_BROKER_URL", "SLUICE_MIN_DEV_NO", "SLUICE_MAX_DEV_NO"):
        assert f"the environment variable {name} is not set" in container.log()


def test_other_commands_run_in_it(broker, start):
    container = start(ENVIRONMENT).wait_for("/readyz")
    status, output = container.execute(["sluice", "send", "--device", "7", "--topic", "dev/7/cmd", "open"])
    assert status == 0 and output.startswith('{"code":1,'), output
    checked = start(ENVIRONMENT, arguments=["check"])
    assert checked.wait() == 0 and checked.log().endswith(": ok\n")


def test_the_mosquitto_of_compose_serves_it_and_passes_its_own_health_check(lab, start):
    file = lab.folder / "mosquitto.conf"
    text = (ROOT / "conf/container/mosquitto.conf").read_text(encoding="utf-8")
    file.write_text(text + "user root\n", encoding="utf-8")
    mosquitto = lab.keep(Running(["mosquitto", "-c", str(file)]))
    wait_until(lambda: net.accepts(1883), "Mosquitto listens")
    container = start(ENVIRONMENT).wait_for("/readyz")
    assert_success(container.client().ask(request()))
    test = COMPOSE["services"]["mosquitto"]["healthcheck"]["test"]
    assert test[0] == "CMD"
    check = Process(shlex.split(shlex.join(test[1:]).replace("$$", "$")))
    assert check.wait() == 0, check.output()
    mosquitto.close()
    check = Process(shlex.split(shlex.join(test[1:]).replace("$$", "$")))
    assert check.wait() != 0


class Running(Process):
    def close(self):
        self.kill()
