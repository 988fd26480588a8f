"""Reload: settings that need other connections; they are replaced one after the other (contract, promise 7)."""
from harness.certs import Authority
from harness.client import encode, request
from harness.fake_broker import acknowledge, withhold
from harness.metrics import scrape
from harness.order import assert_in_order, numbers_of
from harness.replies import assert_success, assert_successes
from harness.sluice import broker_table
from harness.waiting import wait_until

SECRET = "correct-horse-battery"


def with_messages(lab, fake, count=8, **more):
    """A pool of two connections, every message in flight and unacknowledged; (sluice, client)."""
    sluice = lab.sluice(broker_table(fake, connections=2, client_id="x-{slot}", **more))
    sluice.wait_for_connections(2)
    client = sluice.client()
    client.send_raw(b"".join(encode(request(device=i % 4 + 1, message=f"{i % 4 + 1}/{i // 4}", id=i))
                             for i in range(count)))
    fake.wait_for_publishes(count)
    return sluice, client


def assert_all_in_order(fake, count=8):
    assert len(set(fake.payloads())) == count
    for device in range(1, 5):
        assert_in_order(numbers_of([p for p in fake.payloads() if p.startswith(b"%d/" % device)]))


def test_a_connection_with_another_setting_is_replaced_when_all_is_acknowledged(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice, client = with_messages(lab, fake)
    sluice.config["broker"][0]["keepalive_s"] = 77
    sluice.reload()
    assert len(fake.connects) == 2 and not fake.disconnects
    fake.recover()
    assert_successes(client, 8)
    fake.wait_for(lambda broker: len(broker.connects) == 4, "two successors")
    assert sorted(fake.disconnects) == ["x-0", "x-1"]
    assert [connect.keepalive for connect in fake.connects] == [30, 30, 77, 77]
    assert not fake.overlaps
    assert_all_in_order(fake)
    sluice.wait_for_connections(2)
    assert scrape(sluice)("sluice_reconnects_total", broker="main") == 0


def test_what_was_lost_while_it_waited_for_the_change_is_sent_again_under_the_same_identifier(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice, client = with_messages(lab, fake)
    sluice.config["broker"][0]["username"] = "somebody"
    sluice.reload()
    fake.on_publish = acknowledge
    fake.drop_connections()
    assert_successes(client, 8)
    sluice.wait_for_connections(2)
    assert_all_in_order(fake)
    assert {connect.client_id for connect in fake.connects} == {"x-0", "x-1"}
    assert {connect.username for connect in fake.connects[2:]} <= {b"somebody", "somebody"}


def test_under_another_identifier_a_slot_brings_to_its_end_what_it_has_under_the_former_one(lab):
    fake = lab.fake_broker(on_publish=withhold)
    sluice, client = with_messages(lab, fake)
    sluice.config["broker"][0]["client_id"] = "y-{slot}"
    sluice.reload()
    fake.drop_connections()
    fake.wait_for_publishes(12)
    assert {connect.client_id for connect in fake.connects} == {"x-0", "x-1"}
    fake.recover()
    assert_successes(client, 8)
    wait_until(lambda: fake.identifiers() == ["y-0", "y-1"], "the new identifiers")
    assert_all_in_order(fake)


def test_another_instance_changes_the_identifiers_that_contain_it(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, connections=3, client_id="{instance}-{slot}"), server={"instance": "a"})
    sluice.config["server"]["instance"] = "b"
    sluice.reload()
    wait_until(lambda: fake.identifiers() == ["b-0", "b-1", "b-2"], "the new identifiers")
    assert_success(sluice.client().ask(request()))


def test_brokers_that_swap_their_identifiers_never_have_one_twice(lab):
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, name="a", client_id="x-{slot}"),
                        broker_table(fake, name="b", low=2000000, high=3000000, client_id="y-{slot}"))
    for _ in range(3):
        a, b = sluice.config["broker"]
        a["client_id"], b["client_id"] = b["client_id"], a["client_id"]
        sluice.reload()
        for name, table in (("a", a), ("b", b)):
            wanted = [table["client_id"].format(slot=slot) for slot in range(4)]
            wait_until(lambda name=name, wanted=wanted: [
                slot["client_id"] for slot in sluice.broker_status(name)["connections"]
                if slot["state"] == "Ready"] == wanted, f"{name} has {wanted}")
    assert not fake.overlaps


def test_another_address_gets_what_comes_and_what_waits(lab):
    old, new = lab.fake_broker(on_publish=withhold), lab.fake_broker()
    sluice = lab.sluice(broker_table(old, connections=1, max_inflight=1))
    client = sluice.client()
    for number in (1, 2):
        client.send(request(message=str(number)))
    old.wait_for_publishes(1)
    sluice.config["broker"][0]["url"] = new.url
    sluice.reload()
    client.send(request(message="3"))
    assert not new.connects
    old.acknowledge_all()
    assert_successes(client, 3)
    assert (old.payloads(), new.payloads()) == ([b"1"], [b"2", b"3"])
    wait_until(lambda: not old.identifiers(), "nothing is left at the former address")


def test_two_brokers_can_swap_their_addresses(lab):
    first, second = lab.fake_broker(), lab.fake_broker()
    sluice = lab.sluice(broker_table(first, name="a", client_id="x-{slot}"),
                        broker_table(second, name="b", low=2000000, high=3000000, client_id="x-{slot}"))
    for name in ("a", "b"):
        sluice.wait_for_connections(4, name)
    a, b = sluice.config["broker"]
    a["url"], b["url"] = b["url"], a["url"]
    sluice.reload()
    wait_until(lambda: len(first.connects) == len(second.connects) == 8, "all have moved")
    sluice.wait_for_connections(4, "a")
    sluice.wait_for_connections(4, "b")
    assert_success(sluice.client().ask(request(message="for a")))
    assert second.payloads() == [b"for a"]
    assert not first.overlaps and not second.overlaps


def test_two_brokers_can_swap_their_names_and_keep_what_they_have(lab):
    first, second = lab.fake_broker(on_publish=withhold), lab.fake_broker()
    sluice = lab.sluice(broker_table(first, name="a", connections=1, max_inflight=1),
                        broker_table(second, name="b", low=2000000, high=3000000))
    client = sluice.client()
    for number in (1, 2):
        client.send(request(message=str(number)))
    first.wait_for_publishes(1)
    a, b = sluice.config["broker"]
    a["name"], b["name"] = "b", "a"
    sluice.reload()
    first.recover()
    assert_successes(client, 2)
    assert first.payloads() == [b"1", b"2"] and not second.payloads()
    sluice.wait_for_connections(4, "a")


def test_a_password_file_is_read_again(lab, tmp_path):
    file = tmp_path / "password"
    file.write_text("first\n", encoding="utf-8")
    fake = lab.fake_broker()
    sluice = lab.sluice(broker_table(fake, username="shop", password_file=str(file)))
    sluice.wait_for_connections(4)
    file.write_text("second\n", encoding="utf-8")
    sluice.reload()
    fake.wait_for(lambda broker: len(broker.connects) == 8, "four successors")
    passwords = [bytes(c.password) if isinstance(c.password, bytes) else c.password.encode() for c in fake.connects]
    assert passwords == [b"first"] * 4 + [b"second"] * 4
    assert "second" not in sluice.log()


def test_a_wrong_password_costs_one_connection_and_not_the_service(lab):
    broker = lab.broker(passwords={"shop": SECRET})
    sluice = lab.sluice(broker_table(broker, username="shop", password=SECRET))
    sluice.wait_for_connections(4)
    sluice.config["broker"][0]["password"] = "wrong"
    sluice.reload()
    sluice.wait_for_log("broker main: refused by")
    assert sluice.http("/readyz")[0] == 200
    assert_success(sluice.client().ask(request()))
    assert sluice.broker_status()["connections_up"] == 3
    sluice.config["broker"][0]["password"] = SECRET
    sluice.reload()
    sluice.wait_for_connections(4)
    assert sluice.broker_status()["reconnects"] == 0


def test_certificates_are_read_again_on_a_reload(lab, tmp_path):
    old, new = Authority(tmp_path, "old authority"), Authority(tmp_path, "new authority")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(old.ca.read_bytes())
    broker = lab.broker(tls=old.issue("localhost", "DNS:localhost"))
    sluice = lab.sluice(broker_table(f"mqtts://localhost:{broker.port}", tls={"ca": str(ca)}))
    renewed = lab.broker(tls=new.issue("localhost", "DNS:localhost"))
    ca.write_bytes(new.ca.read_bytes())
    sluice.config["broker"][0]["url"] = f"mqtts://localhost:{renewed.port}"
    sluice.reload()
    wait_until(lambda: renewed.log().count("New client connected") == 4, "four connections to it")
    sluice.wait_for_connections(4)
    assert_success(sluice.client().ask(request()))
    # The same address and other files: connections are made anew.
    ca.write_bytes(new.ca.read_bytes() + old.ca.read_bytes())
    sluice.reload()
    sluice.wait_for_log("configuration reloaded: broker main: connections are replaced\n")
    wait_until(lambda: renewed.log().count("New client connected") == 8, "four successors")
    sluice.wait_for_connections(4)
    assert sluice.http("/readyz")[0] == 200
    ca.write_text("not a certificate", encoding="utf-8")
    sluice.reload(refused=True)
    sluice.wait_for_log(r"reload rejected.*broker main: certificate authority \S+ca\.pem")
    assert_success(sluice.client().ask(request()))


def test_after_a_reload_a_broker_is_asked_again_whether_it_speaks_mqtt_5(lab):
    versions = []

    def connack(connect):
        versions.append(connect.version)
        return 0x84 if connect.version == 5 and len(versions) < 4 else 0
    fake = lab.fake_broker(connack=connack)
    sluice = lab.sluice(broker_table(fake, connections=1))
    assert versions == [5, 4]
    fake.drop_connections()
    fake.wait_for(lambda broker: len(broker.connects) == 3, "a connection")
    assert versions == [5, 4, 4]
    sluice.wait_for_connections(1)
    sluice.reload()
    fake.drop_connections()
    fake.wait_for(lambda broker: len(broker.connects) == 4, "a connection")
    assert versions == [5, 4, 4, 5]
