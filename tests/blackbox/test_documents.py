"""The programs that the documents show do what the documents say."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import net, sluice
from harness.certs import Authority
from harness.waiting import BOUND_S

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLUICE_BIN", "")).resolve().parent

needs_php = pytest.mark.skipif(shutil.which("php") is None, reason="php is not installed")
needs_build = pytest.mark.skipif(not (BUILD / "meson-private").is_dir() or shutil.which("meson") is None,
                                 reason="the binary is in no build folder")


def run(*command, env=None):
    """Runs a command to its end, which is bounded."""
    return subprocess.run([str(part) for part in command], env={**os.environ, **(env or {})}, timeout=2 * BOUND_S,
                          capture_output=True, encoding="utf-8", check=False)


def blocks(document, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


# --- configurations
def test_the_configurations_for_brokers_are_valid(tmp_path):
    examples = blocks("docs/brokers.md", "toml")
    assert len(examples) >= 2
    own = Authority(tmp_path).issue("aws", "DNS:localhost")
    for example in examples:
        file = tmp_path / "sluice.toml"
        file.write_text(example.replace("/etc/sluice/aws.crt", str(own.certificate))
                        .replace("/etc/sluice/aws.key", str(own.key)), encoding="utf-8")
        variables = {name: "value" for name in re.findall(r"\$\{(\w+)\}", example)}
        assert sluice.run("check", "-c", str(file), env=variables)[0] == 0, example


# --- PHP
def php_blocks(document):
    return blocks(document, "php")


def run_php(code, port=9501):
    """What the code prints and what it logs, with sluice on this port. PHP itself must have nothing to complain of."""
    done = run("php", "-n", "-d", "error_reporting=-1", "-d", "display_errors=stderr", "-d", "log_errors=0",
               "-r", code.replace("127.0.0.1:9501", f"127.0.0.1:{port}"))
    assert done.returncode == 0, done.stderr
    assert not re.search("(Warning|Notice|Deprecated|error): ", done.stderr), done.stderr
    return done.stdout, done.stderr.strip()


@needs_php
def test_the_php_of_the_readme_sends_a_message_and_says_nothing(rig):
    [example] = php_blocks("README.md")
    assert run_php(example, rig.sluice.port) == ("", "")
    assert rig.subscriber.wait_for(1, "dev/1001/cmd")[0].payload == b"open"


@needs_php
def test_the_php_of_the_readme_says_that_sluice_is_down():
    [example] = php_blocks("README.md")
    assert run_php(example, net.free_port()) == ("", "message failed: cannot connect, published: no")


@needs_php
def test_the_php_of_the_readme_is_answered_in_time_while_the_broker_is_down(lab):
    [example] = php_blocks("README.md")
    assert "'timeout_ms' => 3000" in example
    sluice = lab.sluice(f"mqtt://127.0.0.1:{net.free_port()}", until="alive")
    quick = example.replace("'timeout_ms' => 3000", "'timeout_ms' => 100")
    assert run_php(quick, sluice.port) == ("", "message failed: broker_unavailable, published: no")


@needs_php
def test_the_php_of_the_protocol_sends_and_reads_in_both_framings(rig):
    stream, prefixed = php_blocks("docs/protocol.md")
    printed, _ = run_php("$bytes = 'picture';" + stream + "echo json_encode($reply);", rig.sluice.port)
    assert json.loads(printed)["code"] == 1
    assert rig.subscriber.wait_for(1, "dev/1001/cmd")[0].payload == b"open"
    assert rig.subscriber.wait_for(1, "dev/1001/img")[0].payload == b"picture"
    before = """$socket = stream_socket_client('tcp://127.0.0.1:9501');
        $json = '{"device_id":1001,"mqtt_topic":"prefixed","message":"open"}';"""
    printed, _ = run_php(before + prefixed + "echo json_encode($reply);", rig.sluice.port)
    assert json.loads(printed)["code"] == 1
    assert rig.subscriber.wait_for(1, "prefixed")[0].payload == b"open"


@needs_php
def test_the_php_class_of_the_protocol_throws_where_sluice_is_down():
    stream = php_blocks("docs/protocol.md")[0]
    code = f"try {{ (function () {{ {stream} }})(); }} catch (RuntimeException $e) {{ echo $e->getMessage(); }}"
    printed, _ = run_php(code, net.free_port())
    assert printed == "sluice: Connection refused"


# --- the C++ client
def sanitizer_flags():
    """A library that carries sanitizers makes a program need them."""
    options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8"))
    [sanitizers] = [option["value"] for option in options if option["name"] == "b_sanitize"]
    names = sanitizers if isinstance(sanitizers, str) else ",".join(sanitizers)  # a list in newer versions of Meson
    return [] if names in ("", "none") else [f"-fsanitize={names}"]


@needs_build
def test_the_installed_client_library_serves_a_program_in_cpp_17(rig, tmp_path):
    """The program of docs/client.md, compiled as that page says, against what it says to install."""
    installed = tmp_path / "root"
    done = run("meson", "install", "-C", BUILD, "--no-rebuild", "--tags", "devel", "--destdir", installed)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {file.name for file in installed.rglob("*") if file.is_file()}
    assert names == {"client.h", "libsluice-client.a", "sluice-client.pc"}
    [package] = installed.rglob("sluice-client.pc")
    flags = run("pkg-config", "--cflags", "--libs", "sluice-client",
                env={"PKG_CONFIG_PATH": str(package.parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)})
    assert flags.returncode == 0, flags.stderr
    program = tmp_path / "client"
    source = tmp_path / "client.cc"
    source.write_text((ROOT / "docs/examples/client.cc").read_text(encoding="utf-8").replace(
        "127.0.0.1:9501", f"127.0.0.1:{rig.sluice.port}"), encoding="utf-8")
    done = run("g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-o", program,
               *flags.stdout.split(), *sanitizer_flags())
    assert done.returncode == 0, done.stderr
    done = run(program)
    assert (done.returncode, done.stdout) == (0, "0 to repeat, 0 unclear\n"), done.stderr
