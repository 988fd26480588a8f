"""Brokers by name: names that move, that are slow, or that are unknown, and how soon a broker is tried again."""
from harness.client import request
from harness.fake_broker import DROP
from harness.names import NONE, SLOW, Names
from harness.replies import assert_success
from harness.sluice import broker_table
from harness.waiting import wait_until

# What is to happen within this must not wait for the pause after a failed attempt.
FOR_EVER = {"reconnect_min_ms": 3600000, "reconnect_max_ms": 3600000}


def at(name, broker):
    return f"mqtt://{name}.test:{broker.port}"


def test_a_broker_whose_name_moves_is_found_although_the_pauses_are_long(lab):
    broker = lab.broker()
    names = Names(lab.folder, moving="127.0.0.2")  # nothing listens there
    sluice = lab.sluice(broker_table(at("moving", broker), **FOR_EVER), until="alive", env=names.environment)
    wait_until(lambda: "cannot connect to mqtt://moving.test" in sluice.log(), "a failed attempt")
    names.set(moving="127.0.0.1")
    sluice.wait_for_status("/readyz", 200)
    assert_success(sluice.client().ask(request()))


def test_a_name_that_is_unknown_for_a_while_is_asked_for_again(lab):
    broker = lab.broker()
    names = Names(lab.folder, late=NONE)
    sluice = lab.sluice(broker_table(at("late", broker), **FOR_EVER), until="alive", env=names.environment)
    wait_until(lambda: "name late.test: " in sluice.log(), "a failed lookup")
    names.set(late="127.0.0.1")
    sluice.wait_for_status("/readyz", 200)


def test_a_broker_that_is_back_is_found_while_its_name_cannot_be_resolved(lab):
    broker = lab.broker()
    names = Names(lab.folder, main="127.0.0.1")
    sluice = lab.sluice(broker_table(at("main", broker), **FOR_EVER), env=names.environment)
    for answer in SLOW, NONE:
        names.set(main=answer)
        broker.stop()
        sluice.wait_for_status("/readyz", 503)
        wait_until(lambda: "cannot connect" in sluice.log(), "a failed attempt")
        broker.start()
        sluice.wait_for_status("/readyz", 200)


def test_names_that_get_no_answer_hold_up_neither_other_brokers_nor_a_reload_nor_the_stop(lab):
    broker = lab.broker()
    slow = [f"slow{i}" for i in range(8)]
    names = Names(lab.folder, good="127.0.0.1", **dict.fromkeys(slow, SLOW))
    tables = [broker_table(at(name, broker), name, i * 10, i * 10 + 10) for i, name in enumerate(slow)]
    good = broker_table(at("good", broker), "good", 1000, 2000)
    sluice = lab.sluice(*tables, good, until="alive", env=names.environment)
    client = sluice.client()
    assert_success(client.ask(request(device=1005)))
    sluice.config["broker"] = [good]
    sluice.reload()
    assert_success(client.ask(request(device=1005)))
    sluice.wait_for_status("/readyz", 200)
    sluice.stop()


def test_a_broker_at_its_limit_of_connections_keeps_only_the_refused_ones_waiting(lab):
    accepted, dropped = set(), []

    def connack(connect):
        if len(accepted) < 2:
            accepted.add(connect.client_id)
        return 0 if connect.client_id in accepted else 0x87

    def on_publish(publish):
        if publish.payload == b"drop" and not dropped:
            dropped.append(publish)
            return DROP
        return None

    fake = lab.fake_broker(connack=connack, on_publish=on_publish)
    sluice = lab.sluice(broker_table(fake, connections=4, reconnect_max_ms=3600000))
    wait_until(lambda: "2 of 4 connections up (refused by " in sluice.log(), "a line about those that stay down")
    assert_success(sluice.client().ask(request(message="drop")))
    assert dropped
