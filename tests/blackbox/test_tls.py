"""mqtts:// with a private authority, client certificates, and failures said in words."""
import pytest

from harness.certs import Authority
from harness.client import encode, request
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table

BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "another authority")


@pytest.fixture(scope="module")
def localhost(authority):
    return authority.issue("localhost", "DNS:localhost")


def by_name(broker, **tls):
    """A [[broker]] table that reaches it by the name localhost over TLS."""
    tls = {key: value if isinstance(value, bool) else str(value) for key, value in tls.items()}
    return broker_table(f"mqtts://localhost:{broker.port}", tls=tls)


def assert_not_trusted(sluice):
    """No connection, a word on the certificate, no harm."""
    sluice.wait_for_log(r"broker \S+: .*certificate")
    assert sluice.http("/readyz")[0] == 503
    assert_failure(sluice.client().ask(request(timeout_ms=300)), "broker_unavailable")


@BOTH
def test_messages_go_over_tls_to_a_broker_of_a_private_authority(lab, authority, localhost, protocol):
    broker = lab.broker(tls=localhost)
    subscriber = lab.subscriber(broker, tls=localhost)
    sluice = lab.sluice({**by_name(broker, ca=authority.ca), "protocol": protocol})
    client = sluice.client()
    client.send_in_background(b"".join(encode(request(message=i, qos=1 + i % 2)) for i in range(500)))
    for reply in client.read_replies(500):
        assert_success(reply)
    assert_success(client.ask(request(message="x" * 1000000)))
    subscriber.wait_for(501)


def test_the_server_s_address_may_be_numeric_where_the_certificate_says_so(lab, authority):
    broker = lab.broker(tls=authority.issue("numeric", "IP:127.0.0.1"))
    sluice = lab.sluice(broker_table(broker, tls={"ca": str(authority.ca)}))
    assert_success(sluice.client().ask(request()))


def test_a_certificate_of_another_authority_is_not_trusted(lab, localhost, other_authority):
    broker = lab.broker(tls=localhost)
    assert_not_trusted(lab.sluice(by_name(broker, ca=other_authority.ca), until="alive"))


def test_a_private_authority_is_not_trusted_without_being_named(lab, localhost):
    broker = lab.broker(tls=localhost)
    assert_not_trusted(lab.sluice(broker_table(f"mqtts://localhost:{broker.port}"), until="alive"))


@pytest.mark.parametrize("alternatives", ["DNS:broker.example", "IP:127.0.0.1"])
def test_a_certificate_for_another_name_is_not_trusted(lab, authority, alternatives):
    server = authority.issue("elsewhere-" + alternatives[:3], alternatives)
    broker = lab.broker(tls=server)
    assert_not_trusted(lab.sluice(by_name(broker, ca=authority.ca), until="alive"))


def test_an_insecure_connection_checks_nothing(lab, authority):
    broker = lab.broker(tls=authority.issue("unchecked", "DNS:broker.example"))
    assert_success(lab.sluice(by_name(broker, insecure=True)).client().ask(request()))


def test_a_client_certificate_is_shown_where_it_is_configured(lab, authority, localhost):
    broker = lab.broker(tls=localhost, client_certificates=True)
    own = authority.issue("sluice", "DNS:sluice")
    sluice = lab.sluice(by_name(broker, ca=authority.ca, certificate=own.certificate, key=own.key))
    assert_success(sluice.client().ask(request()))


def test_without_the_client_certificate_it_asks_for_a_broker_is_not_reached(lab, authority, localhost):
    broker = lab.broker(tls=localhost, client_certificates=True)
    sluice = lab.sluice(by_name(broker, ca=authority.ca), until="alive")
    assert_failure(sluice.client().ask(request(timeout_ms=1000)), "broker_unavailable")
    assert sluice.http("/readyz")[0] == 503


def test_a_port_that_does_not_speak_tls_ends_nothing(lab, authority):
    broker = lab.broker()
    sluice = lab.sluice(by_name(broker, ca=authority.ca), until="alive")
    assert_failure(sluice.client().ask(request(timeout_ms=500)), "broker_unavailable")
    assert sluice.http("/healthz")[0] == 200


def test_a_server_that_stalls_in_the_handshake_holds_up_nobody(lab, authority, localhost):
    stalled, live = lab.broker(tls=localhost), lab.broker()
    stalled.freeze()
    table = {**by_name(stalled, ca=authority.ca), "name": "stalled", "max_dev_no": 1000, "connect_timeout_ms": 500}
    sluice = lab.sluice(table, broker_table(live, "live", 1000, 2000), until="alive")
    client = sluice.client()
    for _ in range(50):
        assert_success(client.ask(request(device=1500)))
    stalled.thaw()
    sluice.wait_for_status("/readyz", 200)
    assert_success(client.ask(request(device=5)))


def test_requests_wait_for_a_frozen_broker_over_tls(lab, authority, localhost):
    broker = lab.broker(tls=localhost)
    subscriber = lab.subscriber(broker, tls=localhost)
    sluice = lab.sluice(by_name(broker, ca=authority.ca))
    client = sluice.client()
    broker.freeze()
    client.send_in_background(b"".join(encode(request(message=f"{i} ".ljust(20000, "x"))) for i in range(500)))
    client.wait_until_paused()
    broker.thaw()
    assert [r["code"] for r in client.read_replies(500)] == [1] * 500
    subscriber.wait_for(500)
    assert [p.split()[0] for p in subscriber.payloads()] == [str(i).encode() for i in range(500)]


def test_a_broker_restarted_over_tls_is_connected_to_again(lab, authority, localhost):
    broker = lab.broker(tls=localhost)
    sluice = lab.sluice(by_name(broker, ca=authority.ca))
    client = sluice.client()
    for _ in range(5):
        broker.kill()
        sluice.wait_for_status("/readyz", 503)
        broker.start()
        assert_success(client.ask(request(timeout_ms=30000)))
