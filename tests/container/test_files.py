"""Dockerfile, compose.yaml, conf/container and docs/container.md agree with one another and with the rest of the tree.
Needs only the files; test_image.py tests what they do."""
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import dockerfile
from harness import net
from harness.sluice import binary

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(\w+)(?::-(.*))?\}")
REQUIRED = None  # in the place of a default
# The container's own loopback would not be reachable.
OTHER_THAN_THE_DEFAULT = {"server.listen", "admin.listen"}


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def flat(table, prefix=""):
    """{dotted key: value} of a configuration; the first [[broker]] is "broker"."""
    result = {}
    for key, value in table.items():
        if key == "broker" and isinstance(value, list):
            value = value[0]
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix + key] = value
    return result


STAGES = dockerfile.read(ROOT / "Dockerfile")
IMAGE = STAGES[-1]
COMPOSE = yaml.safe_load(text("compose.yaml"))
SERVICES = COMPOSE["services"]
SLUICE = SERVICES["sluice"]
DEFAULTS = flat(tomllib.loads(text("conf/sluice.toml")))


def variables():
    """{variable: (dotted key, default)} of the image's configuration: every value in it is one variable."""
    found = {}
    for key, value in flat(tomllib.loads(text("conf/container/sluice.toml"))).items():
        match = VARIABLE.fullmatch(value[0] if isinstance(value, list) else value)
        assert match, f"{key} is no variable"
        assert match[1] not in found, f"{match[1]} stands twice"
        found[match[1]] = (key, match[2])
    return found


VARIABLES = variables()


def value_in_compose(name):
    return SLUICE["environment"].get(name) or VARIABLES[name][1]


def seconds(duration):
    match = re.fullmatch(r"(\d+)s", duration)
    assert match, f"{duration}: write it in seconds"
    return int(match[1])


# --- Dockerfile
def test_the_image_is_built_in_two_stages_on_debian_slim():
    assert [stage.base for stage in STAGES] == ["debian:bookworm-slim"] * 2
    assert IMAGE.name is None
    copied = [copy for copy in IMAGE.copies() if copy.stage]
    assert [copy.stage for copy in copied] == [STAGES[0].name]


def test_the_image_runs_sluice_itself_as_a_user_that_is_not_root_and_stops_it_with_sigterm():
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", IMAGE.user())
    assert IMAGE.command() == [IMAGE.copies()[0].target, "serve"]
    assert IMAGE.settings["STOPSIGNAL"] == "SIGTERM"


def test_the_health_check_is_a_file_of_the_image_that_can_be_executed():
    command, options = IMAGE.health_command()
    assert len(command) == 1
    (source,) = [copy.sources[0] for copy in IMAGE.copies() if copy.target == command[0]]
    assert (ROOT / source).stat().st_mode & 0o111 == 0o111
    assert {"interval", "timeout", "start-period", "retries"} == set(options)


def test_what_the_dockerfile_copies_is_there_and_dockerignore_lets_it_through():
    lines = [line for line in text(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*" and all(line.startswith("!") for line in lines[1:]), "expected *, then exceptions"
    allowed = {line[1:] for line in lines[1:]}
    used = set()
    for stage in STAGES:
        for source in [source for copy in stage.copies() if not copy.stage for source in copy.sources]:
            assert (ROOT / source).exists(), source
            through = {entry for entry in allowed if source == entry or source.startswith(entry + "/")}
            assert through, f"{source} is not let through"
            used |= through
    assert used == allowed


def test_the_packages_are_those_of_install_deps_and_of_the_documents():
    group = re.search(r"^build=\(([^)]*)\)", text("tools/install-deps"), re.MULTILINE)[1].split()
    assert set(STAGES[0].packages()) == set(group)
    assert set(group) in installed_by("docs/quickstart.md"), "packages to build it"
    assert set(group) in installed_by("docs/operations.md"), "packages to build it"
    assert set(IMAGE.packages()) in installed_by("docs/operations.md"), "packages to run it"


def installed_by(page):
    """The packages of each apt-get install command in a page of the documentation."""
    commands = re.findall(r"apt-get install ((?:.*\\\n)*.*)", text(page))
    return [{word for word in command.split() if not word.startswith(("-", "\\"))} for command in commands]


# --- the image's configuration
def test_the_images_configuration_says_the_defaults_but_for_addresses():
    for name, (key, default) in VARIABLES.items():
        if default is REQUIRED or key in OTHER_THAN_THE_DEFAULT:
            continue
        if key == "broker.name":
            continue  # has no default, but one name is as good as another
        assert default == str(DEFAULTS[key]), name
    assert {key for key, default in VARIABLES.values() if default is REQUIRED} == \
        {"broker.url", "broker.min_dev_no", "broker.max_dev_no"}


def test_the_ports_are_the_same_everywhere():
    listen = re.fullmatch(r"tcp://0\.0\.0\.0:(\d+)", VARIABLES["SLUICE_LISTEN"][1])
    admin = re.fullmatch(r"0\.0\.0\.0:(\d+)", VARIABLES["SLUICE_ADMIN_LISTEN"][1])
    ports = [int(listen[1]), int(admin[1])]
    assert f":{ports[0]}" in DEFAULTS["server.listen"][0] and DEFAULTS["admin.listen"].endswith(f":{ports[1]}")
    assert IMAGE.ports == ports
    assert SLUICE["ports"] == [f"127.0.0.1:{port}:{port}" for port in ports]
    assert VARIABLES["SLUICE_ADMIN_LISTEN"][1] in text("conf/container/healthcheck")


def test_each_variable_is_documented_with_its_key_and_default_and_no_other():
    rows = re.findall(r"^\| `(SLUICE_\w+)` \| `([\w.]+)` \| (.*?) ?\|$", text("docs/container.md"), re.MULTILINE)
    documented = {name: (key, REQUIRED if default == "required" else default.strip("`")) for name, key, default in rows}
    assert documented == VARIABLES
    spoken_of = set(re.findall(r"SLUICE_[A-Z_]+", text("docs/container.md") + text("compose.yaml") + text("Dockerfile")))
    assert spoken_of <= set(VARIABLES)


def test_sluice_accepts_the_images_configuration_with_the_variables_of_compose():
    done = subprocess.run([binary(), "check", "-c", ROOT / "conf/container/sluice.toml"], env=SLUICE["environment"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# --- compose.yaml
def test_compose_sets_each_variable_that_is_required_and_none_that_does_not_exist():
    names = set(SLUICE["environment"])
    assert names <= set(VARIABLES)
    assert {name for name, (_, default) in VARIABLES.items() if default is REQUIRED} <= names
    host, port = re.fullmatch(r"mqtt://(\w+):(\d+)", SLUICE["environment"]["SLUICE_BROKER_URL"]).groups()
    assert f"listener {port}\n" in text("conf/container/mosquitto.conf") and host in SLUICE["depends_on"]


def test_compose_waits_longer_than_a_stop_takes():
    drain = int(value_in_compose("SLUICE_DRAIN_DELAY_MS")) + int(value_in_compose("SLUICE_DRAIN_TIMEOUT_MS"))
    assert seconds(SLUICE["stop_grace_period"]) > drain / 1000 + 1.5
    documented = re.search(r"--stop-timeout (\d+)", text("docs/container.md"))[1]
    assert int(documented) > (DEFAULTS["server.drain_delay_ms"] + DEFAULTS["server.drain_timeout_ms"]) / 1000 + 1.5


def test_compose_has_descriptors_for_all_connections():
    needed = int(value_in_compose("SLUICE_MAX_CONNECTIONS")) + 3 * int(value_in_compose("SLUICE_CONNECTIONS")) + 32
    assert SLUICE["ulimits"]["nofile"]["soft"] == SLUICE["ulimits"]["nofile"]["hard"] >= needed


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_reachable_from_this_host_alone_and_has_no_rights_it_does_not_need(name):
    service = SERVICES[name]
    assert service["ports"] and all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"], "a log without a limit fills the disk"
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_mounts_and_waits_for_is_there(name):
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        source, _, options = volume.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).is_file() and options.endswith(":ro"), volume
        else:
            assert source in COMPOSE["volumes"], volume
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] != "service_healthy" or other == "sluice" or "healthcheck" in SERVICES[other]


def test_prometheus_scrapes_sluice_with_the_configuration_of_the_example_but_for_the_address():
    example, ours = text("conf/prometheus/prometheus.yml"), text("conf/container/prometheus.yml")
    yaml_of = [yaml.safe_load(content) for content in (example, ours)]
    targets = [config["scrape_configs"][0]["static_configs"][0].pop("targets") for config in yaml_of]
    assert yaml_of[0] == yaml_of[1]
    assert targets[0] == [DEFAULTS["admin.listen"]]
    assert targets[1] == [f"sluice:{IMAGE.ports[1]}"]
    rules = yaml_of[1]["rule_files"]
    mounted = [volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]]
    assert {f"/etc/prometheus/{name}" for name in ["prometheus.yml", *rules]} <= set(mounted)


def test_mosquitto_takes_its_configuration(tmp_path):
    """It listens where the file says, so on another port here: this machine's own may be in use."""
    port = net.free_port()
    file = tmp_path / "mosquitto.conf"
    content, count = re.subn(r"^listener 1883$", f"listener {port} 127.0.0.1", text("conf/container/mosquitto.conf"),
                             flags=re.MULTILINE)
    assert count == 1
    file.write_text(content + "user root\n", encoding="utf-8")
    with subprocess.Popen(["mosquitto", "-c", file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as mosquitto:
        try:
            line = ""
            for line in iter(mosquitto.stdout.readline, b""):
                if b" running" in line:
                    break
            assert b" running" in line, line
            assert net.accepts(port)
        finally:
            mosquitto.kill()


# --- the checks themselves
@pytest.mark.parametrize("line", ["COPY --chown=1:1 a b", "VOLUME /data", "ENTRYPOINT /bin/sluice", "HEALTHCHECK CMD curl x"])
def test_an_instruction_that_the_checks_do_not_know_is_an_error(line):
    with pytest.raises(AssertionError):
        stage = dockerfile.parse(f"FROM a\n{line}\n")[0]
        stage.command()
        stage.health_command()


def test_a_dockerfile_is_read_with_continued_lines_and_comments():
    stage = dockerfile.parse('FROM a AS b\n# c\nENV X=1 Y="2 3"\nRUN apt-get install -y d \\\n  # e\n  f && g\n'
                             'COPY --from=h i j k/\nUSER 5:6\nWORKDIR /l\nENTRYPOINT ["m"]\nCMD ["n", "o"]\n')[0]
    assert (stage.base, stage.name, stage.user(), stage.work_folder()) == ("a", "b", "5:6", "/l")
    assert stage.environment() == {"PATH": dockerfile.DEFAULT_PATH, "X": "1", "Y": "2 3"}
    assert stage.packages() == ["d", "f"] and stage.command() == ["m", "n", "o"]
    assert stage.copies() == [dockerfile.Copy(["i", "j"], "k/", "h")]
