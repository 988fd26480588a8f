"""Reload: what makes one, what is refused, and what does not concern brokers (contract, promise 7)."""
import copy
import os
import signal
import socket
import subprocess
import time

import pytest

from harness import net
from harness.client import frame, request
from harness.fake_broker import withhold
from harness.replies import assert_failure, assert_success
from harness.sluice import binary, broker_table, environment, toml
from harness.waiting import wait_until

# Twice the promise: the machine may be busy with other things.
FILE_LOOK = {"request_timeout_ms": 4000}


def text_with(sluice, success):
    config = copy.deepcopy(sluice.config)
    config["replies"] = {"success": success}
    return toml(config)


def wait_for_text(sluice, text):
    """Waits for it to be in the replies; start_clock() was called when the file was changed."""
    client = sluice.client()
    wait_until(lambda: client.ask(request())["msg"] == text, f"replies say {text}")
    sluice.assert_in_time("configuration reloaded")


# --- what makes a reload

def test_sighup_reloads_the_file(rig):
    client = rig.client()
    assert_success(client.ask(request()))
    rig.sluice.config["replies"] = {"success": "done"}
    rig.sluice.reload()
    assert client.ask(request())["msg"] == "done"
    rig.sluice.wait_for_log(r"configuration reloaded: \[replies\] changed")


def test_sighup_waits_for_a_file_that_is_half_written(rig):
    """The two halves are further apart than one look, and the first one alone is a fault."""
    text = text_with(rig.sluice, "whole")
    half = text.index("msg") if "msg" in text else len(text) - 40
    rig.sluice.start_clock()
    with rig.sluice.file.open("w", encoding="utf-8") as file:
        file.write(text[:half])
        file.flush()
        rig.sluice.send_sighup()
        rig.sluice.wait_for_log("SIGHUP: reloading")
        for part in (text[half:half + 10], text[half + 10:]):
            time.sleep(0.3)
            file.write(part)
            file.flush()
    wait_for_text(rig.sluice, "whole")
    assert rig.sluice.reloads() == (1, 0)


def test_sighup_reloads_a_file_that_has_not_changed(rig):
    for _ in range(2):
        rig.sluice.reload()
        rig.sluice.wait_for_log("configuration reloaded: nothing has changed")


def test_a_file_written_in_place_is_found_by_itself(lab):
    sluice = lab.sluice(lab.broker(), limits=FILE_LOOK)
    sluice.start_clock()
    with sluice.file.open("r+", encoding="utf-8") as file:  # at once, and longer: no part of it can be found
        file.write(text_with(sluice, "in place"))
    wait_for_text(sluice, "in place")
    assert sluice.reloads() == (1, 0)


def test_a_file_that_another_one_is_renamed_over_is_found_by_itself(lab):
    sluice = lab.sluice(lab.broker(), limits=FILE_LOOK)
    sluice.start_clock()
    sluice.write_config(text_with(sluice, "renamed"))
    wait_for_text(sluice, "renamed")
    assert sluice.reloads() == (1, 0)


def test_a_config_map_that_is_swapped_is_found_by_itself(lab, tmp_path):
    sluice = lab.sluice(lab.broker(), until="later", limits=FILE_LOOK)
    for version, text in (("..v1", toml(sluice.config)), ("..v2", text_with(sluice, "second"))):
        (tmp_path / version).mkdir()
        (tmp_path / version / "sluice.toml").write_text(text, encoding="utf-8")
    (tmp_path / "..data").symlink_to("..v1")
    sluice.file = tmp_path / "sluice.toml"
    sluice.file.symlink_to("..data/sluice.toml")
    sluice.start()
    assert_success(sluice.client().ask(request()))
    sluice.start_clock()
    (tmp_path / "..data_tmp").symlink_to("..v2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    wait_for_text(sluice, "second")


def test_a_reload_without_a_change_touches_nothing(rig):
    client = rig.client()
    rig.sluice.wait_for_connections(4)
    rig.sluice.reload()
    rig.sluice.wait_for_log("configuration reloaded: nothing has changed")
    assert_success(client.ask(request()))
    rig.sluice.wait_for_connections(4)
    # The subscriber, and four connections. The request came behind any further one.
    wait_until(lambda: rig.broker.log().count("Received PUBLISH") == 1, "the request in the broker's log")
    assert rig.broker.log().count("New client connected") == 1 + 4


# --- what is refused

def test_an_invalid_file_is_refused_named_and_counted_and_the_old_one_goes_on(rig):
    client = rig.client()
    good = toml(rig.sluice.config)
    rig.sluice.reload(refused=True, text=good.replace("[defaults]", "[defaults]\nqos = 7"))
    rig.sluice.wait_for_log(r"sluice-\d+\.toml:\d+:\d+: defaults\.qos: expected .*found 7")
    rig.sluice.wait_for_log("reload rejected, keeping the current configuration: it has faults")
    assert_success(client.ask(request()))
    rig.sluice.reload(refused=True, text="no TOML at all")
    rig.sluice.file.unlink()
    rig.sluice.wait_for_reloads(0, 3)
    assert_success(client.ask(request()))
    rig.sluice.reload()
    assert rig.sluice.reloads() == (1, 3)


def test_a_table_of_very_many_parts_is_refused(rig):
    good = toml(rig.sluice.config)
    rig.sluice.reload(refused=True, text=f"{good}\n[{'a.' * 50000}a]\nx = 1\n")
    rig.sluice.wait_for_log("nested too deeply: expected at most 16 parts of a name")
    assert_success(rig.client().ask(request()))


def test_of_very_many_faults_the_first_are_logged(rig):
    good = toml(rig.sluice.config)
    rig.sluice.reload(refused=True, text="".join(f"k{n} = 1\n" for n in range(1000)) + good)
    rig.sluice.wait_for_log(r"100\d faults in all; sluice check lists them")
    assert rig.sluice.log().count("unknown key") <= 20


def test_a_sighup_that_comes_while_sluice_starts_waits_for_it(tmp_path):
    """Reading the password holds up the start."""
    fifo, file, log = tmp_path / "fifo", tmp_path / "sluice.toml", tmp_path / "log"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    broker = broker_table("mqtt://127.0.0.1:1", username="u", password_file=str(fifo))
    file.write_text(toml({"server": {"listen": f"tcp://127.0.0.1:{net.free_port()}"}, "admin": {"listen": ""},
                          "broker": [broker]}), encoding="utf-8")
    with open(log, "wb") as errors:
        process = subprocess.Popen([binary(), "serve", "-c", str(file)], env=environment(), stderr=errors)
    try:
        descriptors = f"/proc/{process.pid}/fd"
        wait_until(lambda: any(os.path.realpath(f"{descriptors}/{fd}") == str(fifo) for fd in os.listdir(descriptors)),
                   "sluice reads the password")
        process.send_signal(signal.SIGHUP)
        os.write(writer, b"secret\n")
        os.close(writer)
        wait_until(lambda: "SIGHUP: reloading" in log.read_text(encoding="utf-8"), "the signal is obeyed")
    finally:
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("key", ["password_file", "tls"])
def test_a_fifo_is_waited_for_by_no_reload(rig, tmp_path, key):
    os.mkfifo(tmp_path / "fifo")
    good = copy.deepcopy(rig.sluice.config)
    fifo = str(tmp_path / "fifo")
    rig.sluice.config["broker"][0].update({"username": "u", key: fifo if key == "password_file" else {"ca": fifo}})
    rig.sluice.reload(refused=True)
    rig.sluice.wait_for_log("cannot read .*fifo.*: (a FIFO without a writer|not a regular file)")
    rig.sluice.config = good
    rig.sluice.config["replies"] = {"success": "done"}
    rig.sluice.reload()
    assert rig.client().ask(request())["msg"] == "done"


@pytest.mark.slow
def test_a_file_that_does_not_end_holds_up_no_later_reload(rig, tmp_path):
    """10 s. Fast: "a pipe that does not end is waited for no longer than the patience lasts" in
    tests/unit/config/file_test.cc, "work that never ends can be abandoned for other work" in tests/unit/event."""
    os.mkfifo(tmp_path / "fifo")
    writer = os.open(tmp_path / "fifo", os.O_RDWR)
    try:
        good = copy.deepcopy(rig.sluice.config)
        rig.sluice.config["broker"][0].update({"username": "u", "password_file": str(tmp_path / "fifo")})
        rig.sluice.reload(refused=True)
        rig.sluice.wait_for_log("it did not end in time|could not be read within 11 s")
        rig.sluice.config = good
        rig.sluice.reload()
    finally:
        os.close(writer)


def test_an_address_that_cannot_be_bound_refuses_all_of_a_reload(lab, rig):
    taken = lab.broker()
    free = net.free_port()
    before = copy.deepcopy(rig.sluice.config)
    rig.sluice.config["server"]["listen"] = [*rig.sluice.listen, f"tcp://127.0.0.1:{free}",
                                             f"tcp://127.0.0.1:{taken.port}"]
    rig.sluice.config["replies"] = {"success": "done"}
    rig.sluice.config["broker"][0]["max_dev_no"] = 10
    rig.sluice.reload(refused=True)
    rig.sluice.wait_for_log(rf"reload rejected.*cannot listen on tcp://127.0.0.1:{taken.port}: Address already in use")
    assert_success(rig.client().ask(request()))
    assert not net.accepts(free)
    rig.sluice.config = before
    rig.sluice.reload()


def test_a_log_file_that_cannot_be_opened_refuses_all_of_a_reload(rig):
    rig.sluice.config["log"] = {"file": "/proc/nowhere/log"}
    rig.sluice.config["replies"] = {"success": "done"}
    rig.sluice.reload(refused=True)
    rig.sluice.wait_for_log(r'log\.file: cannot write "/proc/nowhere/log": there is no folder /proc/nowhere')
    rig.sluice.wait_for_log("reload rejected.*it has faults")
    assert_success(rig.client().ask(request()))


def test_what_needs_a_restart_is_named_and_the_rest_is_in_force(rig):
    rig.sluice.config["server"].update(reuse_port=True, tcp_fastopen=True)
    rig.sluice.config["replies"] = {"success": "done"}
    rig.sluice.reload()
    assert rig.client().ask(request())["msg"] == "done"
    rig.sluice.wait_for_log(r"server\.reuse_port: needs a restart to change")
    rig.sluice.wait_for_log(r"server\.tcp_fastopen: needs a restart to change")


# --- listeners

def test_a_listener_that_is_added_accepts_and_one_that_is_removed_leaves_its_clients(rig, tmp_path):
    old = rig.client()
    assert_success(old.ask(request()))
    path = str(tmp_path / "new.sock")
    rig.sluice.config["server"]["listen"] = [f"unix://{path}"]
    rig.sluice.config["server"]["instance"] = str(rig.sluice.port)
    rig.sluice.reload()
    new = rig.sluice.client(address=path)
    assert_success(new.ask(request()))
    assert_success(old.ask(request()))
    assert not net.accepts(rig.sluice.port)
    rig.sluice.config["server"]["listen"] = rig.sluice.listen
    rig.sluice.reload()
    assert not os.path.exists(path)
    assert_success(rig.client().ask(request()))
    assert_success(new.ask(request()))
    assert_success(old.ask(request()))


def test_a_name_to_listen_on_is_looked_up_and_one_that_is_not_found_refuses_the_reload(rig):
    ports = [net.free_port() for _ in range(2)]
    rig.sluice.config["server"]["listen"] = [*rig.sluice.listen, f"tcp://localhost:{ports[0]}"]
    rig.sluice.reload()
    assert_success(rig.sluice.client(address=("localhost", ports[0])).ask(request()))
    rig.sluice.config["admin"]["listen"] = f"localhost:{ports[1]}"
    rig.sluice.write_config()
    rig.sluice.send_sighup()
    # The first of its addresses, where there are several.
    rig.sluice.admin_host, rig.sluice.admin_port = socket.getaddrinfo("localhost", None)[0][4][0], ports[1]
    rig.sluice.wait_for_status("/readyz", 200)
    rig.sluice.config["server"]["listen"].append(f"tcp://no-such-host.invalid:{net.free_port()}")
    rig.sluice.reload(refused=True)
    rig.sluice.wait_for_log(r"reload rejected.*cannot listen on tcp://no-such-host\.invalid:\d+: ")
    assert_success(rig.sluice.client(address=("localhost", ports[0])).ask(request()))


def test_clients_that_have_just_connected_to_a_listener_are_not_cut_off_with_it(rig):
    other = net.free_port()
    rig.sluice.config["server"]["instance"] = str(rig.sluice.port)
    rig.sluice.config["server"]["listen"] = [*rig.sluice.listen, f"tcp://127.0.0.1:{other}"]
    rig.sluice.reload()
    rig.sluice.config["server"]["listen"] = rig.sluice.listen
    # The kernel accepts them; sluice has not seen them when it finds out that their listener goes.
    with rig.sluice.frozen():
        rig.sluice.write_config()
        late = [rig.sluice.client(address=("127.0.0.1", other)) for _ in range(20)]
        rig.sluice.send_sighup()
    for client in late:
        assert_success(client.ask(request()))
    rig.sluice.wait_for_reloads(2)
    assert not net.accepts(other)


def test_the_admin_address_can_move(rig):
    former, port = rig.sluice.admin_port, net.free_port()
    rig.sluice.config["admin"]["listen"] = f"127.0.0.1:{port}"
    rig.sluice.reload()
    assert rig.sluice.admin_port == port and rig.sluice.reloads() == (1, 0)
    assert rig.sluice.http("/readyz")[0] == 200
    wait_until(lambda: not net.accepts(former), "the former address is free")


def test_the_admin_interface_can_be_turned_off_and_on_again(rig):
    former = rig.sluice.admin_port
    rig.sluice.config["admin"]["listen"] = ""
    rig.sluice.reload()
    wait_until(lambda: not net.accepts(former), "the former address is free")
    assert_success(rig.client().ask(request()))
    rig.sluice.config["admin"]["listen"] = f"127.0.0.1:{former}"
    rig.sluice.reload()
    assert rig.sluice.reloads() == (2, 0)
    assert rig.sluice.http("/readyz")[0] == 200


# --- limits, texts and the log

def test_limits_hold_for_the_clients_that_are_there(rig):
    client, framed = rig.client(), rig.client()
    assert_success(client.ask(request(message="x" * 2000)))
    framed.send_frame(request(message="x" * 2000))
    assert_success(framed.read_frame())
    rig.sluice.config["limits"] = {"max_request_bytes": 1000}
    rig.sluice.config["defaults"] = {"qos": 2}
    rig.sluice.reload()
    assert_failure(client.ask(request(message="x" * 2000)), "too_large")
    assert_success(client.ask(request(message="short")))
    framed.send_raw(frame(request(message="x" * 2000)))
    assert_failure(framed.read_frame(), "too_large")
    assert rig.subscriber.wait_for(3)[-1].qos == 2


def test_fewer_connections_are_allowed_without_ending_one(rig):
    clients = [rig.client() for _ in range(4)]
    for client in clients:
        assert_success(client.ask(request()))
    rig.sluice.config["server"]["max_connections"] = 2
    rig.sluice.reload()
    assert_failure(rig.client().read_reply(), "overloaded")
    for client in clients:
        assert_success(client.ask(request()))


def test_the_log_gets_another_level_and_another_file(rig, tmp_path):
    file = tmp_path / "sluice.log"
    rig.sluice.config["log"] = {"level": "info", "file": str(file), "format": "json"}
    rig.sluice.reload()
    wait_until(lambda: "configuration reloaded" in file.read_text(encoding="utf-8"), "the line in the new file")
    assert_success(rig.client().ask(request()))
    assert '"level":"debug"' not in file.read_text(encoding="utf-8")


def test_a_stop_is_not_disturbed_by_a_reload(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice = lab.sluice(fake, server={"drain_timeout_ms": 60000})
    client = sluice.client()
    client.send(request())
    fake.wait_for_publishes(1)
    sluice.terminate()
    sluice.wait_for_log("listeners closed")
    sluice.config["replies"] = {"success": "done"}
    sluice.write_config()
    sluice.send_sighup()
    sluice.wait_for_log("SIGHUP: shutting down, not reloading")
    fake.acknowledge_all()
    assert_success(client.read_reply())
    assert client.read_until_eof() == b""
    assert sluice.wait() == 0


def test_a_stop_does_not_wait_for_a_file_that_a_reload_waits_for(lab, tmp_path):
    file = tmp_path / "password"
    file.write_text("secret\n", encoding="utf-8")
    sluice = lab.sluice(broker_table(lab.fake_broker(), username="shop", password_file=str(file)))
    sluice.wait_for_connections(4)
    file.unlink()
    os.mkfifo(file)
    writer = os.open(file, os.O_RDWR)  # it has the FIFO open and writes nothing
    try:
        sluice.send_sighup()
        sluice.wait_for_log("SIGHUP: reloading")
        sluice.send_sighup()
        sluice.wait_for_log("reload already in progress")
        assert sluice.stop() == 0
    finally:
        os.close(writer)
