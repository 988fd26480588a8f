"""The parts that the other tests are made of, where a mistake would be taken for one of sluice."""
import os
import socket
import subprocess
import sys

import pytest

from harness import mqtt_packets as mqtt
from harness import net
from harness.process import Process
from harness.relay import Relay
from harness.waiting import wait_until


def test_a_wait_that_fails_says_how_things_are_then():
    looks = []
    with pytest.raises(AssertionError) as failure:
        wait_until(lambda: looks.append(1), lambda: f"something; {len(looks)} looks", bound_s=0.05)
    assert str(failure.value) == f"not within 0.05 s: something; {len(looks)} looks"


def test_two_test_runs_are_handed_different_ports():
    own = net.free_port()
    code = "from harness import net; print(*(net.free_port() for _ in range(net.BLOCK_PORTS)))"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60, text=True,
                           env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)})
    ports = {int(port) for port in other.stdout.split()}
    assert len(ports) > net.BLOCK_PORTS / 2 and own not in ports


def test_a_port_is_handed_out_again_only_after_all_others():
    ports = [net.free_port() for _ in range(net.BLOCK_PORTS // 2)]
    assert len(set(ports)) == len(ports)


class Listener:
    """A broker that accepts and says nothing."""
    host = "127.0.0.1"

    def __init__(self):
        self.socket = socket.create_server((self.host, 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


def test_a_cut_means_connections_too_that_the_relay_has_not_accepted_yet(lab):
    relay = lab.keep(Relay(lab.keep(Listener())))
    for _ in range(100):
        with socket.create_connection((relay.host, relay.port), timeout=30) as client:
            relay.cut()
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_what_is_left_unread_is_what_the_peer_has_not_read():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x" * 700)
        wait_until(lambda: net.unread_by_peer(client) == 700, lambda: f"700 bytes, not {net.unread_by_peer(client)}")
        peer, _ = server.accept()
        with peer:
            assert len(peer.recv(300)) == 300
            assert net.unread_by_peer(client) == 400
            assert len(peer.recv(400)) == 400
            assert net.unread_by_peer(client) == 0


def test_what_a_process_has_written_is_in_its_output_at_once(tmp_path):
    """As much as a pipe holds: it takes a while to be collected."""
    for number in range(20):
        done = tmp_path / str(number)
        process = Process(["sh", "-c", f"head -c 60000 /dev/zero; touch {done}; exec sleep 60"])
        try:
            wait_until(done.exists, "all is written", pause_s=0)
            assert len(process.output()) == 60000
        finally:
            process.kill()


def test_an_identifier_overlaps_only_while_its_first_client_is_there(lab):
    """However late the broker reads that the client has left."""
    fake = lab.fake_broker()
    fake.stall()

    def connect():
        client = socket.create_connection((fake.host, fake.port), timeout=30)
        client.sendall(mqtt.connect(5, "a"))
        assert client.recv(2)
        return client

    connect().close()
    with connect():
        assert not fake.overlaps
        with connect():
            assert fake.overlaps == ["a"]
    fake.resume()
