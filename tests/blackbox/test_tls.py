"""mqtts:// with a private authority, client certificates, and failures said in words. Every test runs over loopback as
it is, and as over a real network: the broker's answer comes late and in pieces, with a long chain of certificates."""
import socket
import ssl
from collections import namedtuple

import pytest

from harness.certs import Authority
from harness.client import encode, request
from harness.relay import Split
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table
from harness.waiting import wait_until

Network = namedtuple("Network", "split tls_version intermediates")
NETWORKS = {
    "loopback": Network(None, "TLSv1.3", 0),
    "split-tls12": Network(Split(), "TLSv1.2", 2),
    "split-tls13": Network(Split(), "TLSv1.3", 2),
}
MORE_NETWORKS = {**NETWORKS, "loopback-tls12": Network(None, "TLSv1.2", 0)}
BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS)
def network(request):  # pylint: disable=redefined-outer-name
    return request.param


@pytest.fixture(scope="module")
def authority(tmp_path_factory, network):
    return Authority(tmp_path_factory.mktemp("authority"), intermediates=network.intermediates)


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "another authority")


@pytest.fixture(scope="module")
def localhost(authority):
    return authority.issue("localhost", "DNS:localhost")


class Way:
    """Brokers behind that network, and the [[broker]] tables that lead to them over TLS."""

    def __init__(self, lab, network):
        self._lab = lab
        self._split = network.split
        self.tls_version = network.tls_version

    def broker(self, **options):
        return self._lab.broker(tls_version=self.tls_version, **options)

    def to(self, broker, host="localhost", **tls):
        port = self._lab.relay(broker, split=self._split).port if self._split else broker.port
        tls = {key: value if isinstance(value, bool) else str(value) for key, value in tls.items()}
        return broker_table(f"mqtts://{host}:{port}", tls=tls)


@pytest.fixture
def way(lab, network):
    return Way(lab, network)


def assert_not_trusted(sluice):
    """No connection, a word on the certificate, no harm."""
    sluice.wait_for_log(r"broker \S+: .*certificate")
    assert sluice.http("/readyz")[0] == 503
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "broker_unavailable")


@pytest.mark.parametrize("network", MORE_NETWORKS.values(), ids=MORE_NETWORKS, indirect=True)
@pytest.mark.parametrize("client_certificates", [False, True], ids=["one-sided", "client-certificates"])
def test_every_connection_comes_up_at_its_first_attempt(lab, way, authority, client_certificates):
    server, own = authority.issue("numeric", "IP:127.0.0.1"), authority.issue("sluice", "DNS:sluice")
    broker = way.broker(tls=server, client_certificates=client_certificates)
    shown = {"certificate": own.certificate, "key": own.key} if client_certificates else {}
    sluice = lab.sluice({**way.to(broker, host="127.0.0.1", ca=authority.ca, **shown), "connections": 20,
                         "connect_timeout_ms": 20000})
    sluice.wait_for_connections(20)
    assert "cannot connect to" not in sluice.log()


def test_the_broker_speaks_the_version_that_is_to_be_tested(way, authority, localhost):
    broker = way.broker(tls=localhost)
    context = ssl.create_default_context(cafile=authority.ca)
    with socket.create_connection((broker.host, broker.port)) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as session:
        assert session.version() == way.tls_version


@BOTH
def test_messages_go_over_tls_to_a_broker_of_a_private_authority(lab, way, authority, localhost, protocol):
    broker = way.broker(tls=localhost)
    subscriber = lab.subscriber(broker, tls=localhost)
    sluice = lab.sluice({**way.to(broker, ca=authority.ca), "protocol": protocol})
    client = sluice.client()
    client.send_in_background(b"".join(encode(request(message=i, qos=1 + i % 2)) for i in range(500)))
    for reply in client.read_replies(500):
        assert_success(reply)
    assert_success(client.ask(request(message="x" * 1000000)))
    subscriber.wait_for(501)


def test_the_server_s_address_may_be_numeric_where_the_certificate_says_so(lab, way, authority):
    broker = way.broker(tls=authority.issue("numeric", "IP:127.0.0.1"))
    sluice = lab.sluice(way.to(broker, host="127.0.0.1", ca=authority.ca))
    assert_success(sluice.client().ask(request()))


def test_a_certificate_of_another_authority_is_not_trusted(lab, way, localhost, other_authority):
    broker = way.broker(tls=localhost)
    assert_not_trusted(lab.sluice(way.to(broker, ca=other_authority.ca), until="alive"))


def test_a_private_authority_is_not_trusted_without_being_named(lab, way, localhost):
    broker = way.broker(tls=localhost)
    assert_not_trusted(lab.sluice(way.to(broker), until="alive"))


@pytest.mark.parametrize("alternatives", ["DNS:broker.example", "IP:127.0.0.1"])
def test_a_certificate_for_another_name_is_not_trusted(lab, way, authority, alternatives):
    server = authority.issue("elsewhere-" + alternatives[:3], alternatives)
    broker = way.broker(tls=server)
    assert_not_trusted(lab.sluice(way.to(broker, ca=authority.ca), until="alive"))


def test_an_insecure_connection_checks_nothing(lab, way, authority):
    broker = way.broker(tls=authority.issue("unchecked", "DNS:broker.example"))
    assert_success(lab.sluice(way.to(broker, insecure=True)).client().ask(request()))


def test_a_client_certificate_is_shown_where_it_is_configured(lab, way, authority, localhost):
    broker = way.broker(tls=localhost, client_certificates=True)
    own = authority.issue("sluice", "DNS:sluice")
    sluice = lab.sluice(way.to(broker, ca=authority.ca, certificate=own.certificate, key=own.key))
    assert_success(sluice.client().ask(request()))


def test_without_the_client_certificate_it_asks_for_a_broker_is_not_reached(lab, way, authority, localhost):
    broker = way.broker(tls=localhost, client_certificates=True)
    sluice = lab.sluice(way.to(broker, ca=authority.ca), until="alive")
    # TLS 1.2 has no alert of its own for this.
    sluice.wait_for_log("refused the handshake or our certificate: (certificate required|handshake failure)")
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "broker_unavailable")
    assert sluice.http("/readyz")[0] == 503


def test_a_port_that_does_not_speak_tls_ends_nothing(lab, way, authority):
    broker = way.broker()
    sluice = lab.sluice(way.to(broker, ca=authority.ca), until="alive")
    sluice.wait_for_log("cannot connect to .*TLS handshake: ")
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "broker_unavailable")
    assert sluice.http("/healthz")[0] == 200


def test_a_refusal_that_comes_late_is_noticed_and_not_taken_for_a_failure_of_tls(lab):
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    url = f"mqtts://127.0.0.1:{listener.getsockname()[1]}"
    with socket.create_connection(listener.getsockname()):  # the backlog is full: a further SYN has to be sent again
        sluice = lab.sluice({**broker_table(url), "connections": 1, "connect_timeout_ms": 60000, "keepalive_s": 0},
                            until="alive")
        wait_until(lambda: sluice.broker_status()["connections"][0]["state"] == "Connecting", "an attempt")
        listener.close()
        sluice.wait_for_log("cannot connect to [^ ]+: Connection refused")


def test_a_server_that_stalls_in_the_handshake_holds_up_nobody(lab, way, authority, localhost):
    stalled, live = way.broker(tls=localhost), way.broker()
    stalled.freeze()
    table = {**way.to(stalled, ca=authority.ca), "name": "stalled", "max_dev_no": 1000, "connect_timeout_ms": 500}
    sluice = lab.sluice(table, broker_table(live, "live", 1000, 2000), until="alive")
    client = sluice.client()
    for _ in range(50):
        assert_success(client.ask(request(device=1500)))
    stalled.thaw()
    sluice.wait_for_status("/readyz", 200)
    assert_success(client.ask(request(device=5)))


def test_requests_wait_for_a_frozen_broker_over_tls(lab, way, authority, localhost):
    broker = way.broker(tls=localhost)
    subscriber = lab.subscriber(broker, tls=localhost)
    sluice = lab.sluice(way.to(broker, ca=authority.ca))
    client = sluice.client()
    broker.freeze()
    client.send_in_background(b"".join(encode(request(message=f"{i} ".ljust(20000, "x"))) for i in range(500)))
    client.wait_until_paused()
    broker.thaw()
    assert [r["code"] for r in client.read_replies(500)] == [1] * 500
    subscriber.wait_for(500)
    assert [p.split()[0] for p in subscriber.payloads()] == [str(i).encode() for i in range(500)]


def test_a_broker_restarted_over_tls_is_connected_to_again(lab, way, authority, localhost):
    broker = way.broker(tls=localhost)
    sluice = lab.sluice(way.to(broker, ca=authority.ca))
    client = sluice.client()
    for _ in range(5):
        broker.kill()
        sluice.wait_for_status("/readyz", 503)
        broker.start()
        assert_success(client.ask(request(timeout_ms=30000)))
