"""Listeners on Unix sockets."""
import socket
import stat

from harness import net
from harness.client import encode, request
from harness.replies import assert_success
from harness.sluice import broker_table, run, toml


def serve_at(lab, path, *more, until="ready"):
    return lab.sluice(lab.broker(), listen=[f"unix://{path}", *more], until=until)


def config_at(folder, path):
    file = folder / "unix.toml"
    file.write_text(toml({"server": {"listen": [f"unix://{path}"]}, "admin": {"listen": ""},
                          "broker": [broker_table("mqtt://127.0.0.1:1883")]}), encoding="utf-8")
    return str(file)


def test_requests_are_served_over_a_unix_socket(lab, tmp_path):
    path = tmp_path / "s.sock"
    client = serve_at(lab, path).client(address=str(path))
    client.send_raw(encode(request()) * 100)
    client.half_close()
    assert [r["code"] for r in client.read_replies_until_eof()] == [1] * 100


def test_framed_requests_are_served_over_a_unix_socket(lab, tmp_path):
    path = tmp_path / "s.sock"
    client = serve_at(lab, path).client(address=str(path))
    client.send_frame(request())
    assert_success(client.read_frame())


def test_its_mode_is_0660(lab, tmp_path):
    path = tmp_path / "s.sock"
    serve_at(lab, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_it_is_removed_at_the_end(lab, tmp_path):
    path = tmp_path / "s.sock"
    sluice = serve_at(lab, path)
    assert path.is_socket()
    assert sluice.stop() == 0
    assert not path.exists()


def test_a_stale_socket_file_is_replaced(lab, tmp_path):
    path = tmp_path / "s.sock"
    sluice = serve_at(lab, path)
    sluice.kill()
    assert path.is_socket()
    again = serve_at(lab, path)
    assert_success(again.client(address=str(path)).ask(request()))


def test_a_socket_that_is_listened_on_is_left_alone(lab, tmp_path):
    path = tmp_path / "s.sock"
    sluice = serve_at(lab, path)
    status, output = run("serve", "-c", config_at(tmp_path, path))
    assert status == 1 and str(path) in output
    assert_success(sluice.client(address=str(path)).ask(request()))


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("keep me", encoding="utf-8")
    status, output = run("serve", "-c", config_at(tmp_path, path))
    assert status == 1 and str(path) in output
    assert path.read_text(encoding="utf-8") == "keep me"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "missing" / "s.sock"
    status, output = run("serve", "-c", config_at(tmp_path, path))
    assert status == 1 and str(path) in output


def test_unix_and_tcp_listeners_serve_side_by_side(lab, tmp_path):
    path, port = tmp_path / "s.sock", net.free_port()
    sluice = serve_at(lab, path, f"tcp://127.0.0.1:{port}")
    for address in (str(path), ("127.0.0.1", port)):
        assert_success(sluice.client(address=address).ask(request()))


def test_the_instance_is_named_after_the_socket_file(lab, tmp_path):
    fake = lab.fake_broker()
    lab.sluice(broker_table(fake, connections=1), listen=[f"unix://{tmp_path / 'front.sock'}"])
    assert "front.sock" in fake.connects[0].client_id


def test_a_client_that_vanishes_from_a_unix_socket_harms_nobody(lab, tmp_path):
    path = tmp_path / "s.sock"
    sluice = serve_at(lab, path)
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(encode(request()) * 50)
    assert_success(sluice.client(address=str(path)).ask(request()))
