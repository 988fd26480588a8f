"""Every member of a request: what it accepts, what it refuses, and what then reaches a subscriber."""
import itertools
import json

import pytest

from harness.client import encode, request
from harness.replies import assert_failure, assert_success
from harness.sluice import broker_table

TOPICS = (f"t/{number}" for number in itertools.count())


def with_text(member, text):
    """A request in which one member's value is exactly this JSON text."""
    members = {"device_id": "1001", "mqtt_topic": json.dumps(next(TOPICS)), "message": '"open"', member: text}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


def published(rig, value, topic):
    """Sends a request that must succeed; returns the message at the subscriber."""
    assert_success(rig.client().ask(value))
    return rig.subscriber.wait_for(1, topic)[0]


def assert_refused(rig, value):
    """One bad_request, nothing published, and the connection goes on."""
    client, fence, topic = rig.client(), next(TOPICS), next(TOPICS)
    assert_success(client.ask(request(topic=fence)))
    rig.subscriber.wait_for(1, fence)
    before = len(rig.subscriber.messages())
    assert_failure(client.ask(value), "bad_request")
    assert_success(client.ask(request(topic=topic)))
    rig.subscriber.wait_for(1, topic)
    assert [m.topic for m in rig.subscriber.messages()[before:]] == [topic]


# --- device_id
@pytest.fixture(scope="module")
def all_devices(shared_lab):
    """A rig whose one broker takes every device but the two outermost numbers."""
    broker = shared_lab.broker()
    low, high = -2**63, 2**63 - 1
    sluice = shared_lab.sluice(broker_table(broker, low=low, high=high))
    return sluice


@pytest.mark.parametrize("device", [
    "1001", '"1001"', '"0001001"', "0", '"0"', '"007"', "-5", '"-5"', '"-007"', '"0000000000000000001"',
    "9223372036854775806", '"9223372036854775806"', "-9223372036854775807", '"-9223372036854775807"'])
def test_a_device_id_is_an_integer_or_its_digits(all_devices, device):
    assert_success(all_devices.client().ask(with_text("device_id", device)))


@pytest.mark.parametrize("device", ["9223372036854775807", "-9223372036854775808",
                                    '"9223372036854775807"', '"-9223372036854775808"'])
def test_the_outermost_device_ids_are_read_and_lie_in_no_range(all_devices, device):
    assert_failure(all_devices.client().ask(with_text("device_id", device)), "no_route")


@pytest.mark.parametrize("device", [
    "null", "true", "1.0", "1e3", '""', '"abc"', '"+5"', '" 5"', '"5 "', '"0x10"', '"-"', '"1.0"', "[1]", "{}",
    "9223372036854775808", "-9223372036854775809", '"9223372036854775808"', '"-9223372036854775809"',
    '"00000000000000000001"'])
def test_any_other_device_id_is_refused(shared_rig, device):
    assert_refused(shared_rig, with_text("device_id", device))


# --- mqtt_topic
@pytest.mark.parametrize("topic", [
    "a", "a/b", "/", "dev/设备/cmd", "spaces are fine", "emoji/😀", "x" * 65535, "s" + "/" * 200, '"quoted"\\'],
    ids=lambda topic: topic[:20])
def test_a_topic_arrives_as_sent(shared_rig, topic):
    assert published(shared_rig, request(topic=topic), topic).payload == b"open"


@pytest.mark.parametrize("topic", [
    '""', "null", "5", "[]", '"a/+/b"', '"#"', '"a/#"', '"a+b"', r'"a\u0000b"', r'"a\u0001"', r'"a\u001f"',
    r'"a\u007f"', r'"a\u0080"', r'"a\u009f"', r'"a\uffff"', r'"a\ufffe"', r'"a\ufdd0"', r'"a\ud83f\udffe"',
    r'"a\ud800"', '"' + "x" * 65536 + '"', '"' + "文" * 21846 + '"', '"s' + "/" * 201 + '"'],
    ids=lambda topic: topic[:20])
def test_a_topic_that_mqtt_forbids_is_refused(shared_rig, topic):
    assert_refused(shared_rig, with_text("mqtt_topic", topic))


# --- message
@pytest.mark.parametrize("text, payload", [
    ('"open"', b"open"), ('""', b""), ('"\\u4e2d 中"', "中 中".encode()), (r'"\ud83d\ude00"', "😀".encode()),
    (r'"a\u0000b"', b"a\0b"), (r'"\"\\\/\b\f\n\r\t"', b'"\\/\b\f\n\r\t'),
    ("1.10", b"1.10"), ("0", b"0"), ("-0", b"-0"), ("-0.0", b"-0.0"), ("1E+05", b"1E+05"), ("1e400", b"1e400"),
    ("123456789012345678901234567890", b"123456789012345678901234567890"),
    ("0.1000000000000000055511151231257827", b"0.1000000000000000055511151231257827"),
    ("true", b"true"), ("false", b"false"), ("null", b"null"), ("[]", b"[]"), ("{}", b"{}"),
    ('{ "a" : [ 1.10 ,\t"x  y" ] ,\r\n "b":{ } }', b'{"a":[1.10,"x  y"],"b":{}}'),
    (r'{ "k\u0041" : "\u0041 \/ é" }', r'{"k\u0041":"\u0041 \/ é"}'.encode()),
    ('{"a":1,"a":2}', b'{"a":1,"a":2}'),
    ('{"device_id":5,"mqtt_topic":"other","message":{"id":7}}',
     b'{"device_id":5,"mqtt_topic":"other","message":{"id":7}}'),
    ('["}", "]", "{"]', b'["}","]","{"]'),
    (" " * 30 + "1.10" + " " * 30, b"1.10"),
    ("[" * 30 + "]" * 30, b"[" * 30 + b"]" * 30)])
def test_a_message_is_a_string_s_bytes_or_any_other_value_s_own_text(shared_rig, text, payload):
    value = with_text("message", text)
    topic = json.loads(value)["mqtt_topic"]
    assert published(shared_rig, value, topic).payload == payload


@pytest.mark.parametrize("size", [16, 127, 128, 16383, 16384, 65536, 1000000])
def test_a_message_of_any_size_arrives_whole(shared_rig, size):
    topic = next(TOPICS)
    message = "".join(chr(97 + i % 26) for i in range(size))
    assert published(shared_rig, request(topic=topic, message=message), topic).payload == message.encode()


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udc00\ud800"', r'"\x41"', "01", "+1", ".5", "1.", "tru", "'a'",
                                  "NaN", "Infinity", "[1,]", "[" * 200 + "]" * 200, "", '"tab\there"'])
def test_a_message_that_is_not_json_is_refused(shared_rig, text):
    assert_refused(shared_rig, with_text("message", text))


@pytest.mark.parametrize("text", [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xe4\xb8"', b'"\xf4\x90\x80\x80"'])
def test_a_message_that_is_not_utf8_is_refused(shared_rig, text):
    assert_refused(shared_rig, with_text("message", '"?"').replace(b'"?"', text))


# --- what is required, what is ignored, what is doubled
@pytest.mark.parametrize("member", ["device_id", "mqtt_topic", "message"])
def test_a_request_without_a_required_member_is_refused(shared_rig, member):
    value = request()
    del value[member]
    assert_refused(shared_rig, value)


def test_an_empty_object_is_refused(shared_rig):
    assert_refused(shared_rig, {})


def test_members_come_in_any_order_and_unknown_ones_are_ignored(shared_rig):
    topic = next(TOPICS)
    value = {"message": "late", "x": {"device_id": [1, {"y": None}]}, "mqtt_topic": topic, "Device_ID": "?",
             "device_id": 1}
    assert published(shared_rig, value, topic).payload == b"late"


def test_an_escaped_member_name_is_the_same_member(shared_rig):
    topic = next(TOPICS)
    value = encode(request(topic=topic)).replace(b'"device_id"', rb'"\u0064evice_id"')
    assert published(shared_rig, value, topic).payload == b"open"


@pytest.mark.parametrize("member, text", [
    ("device_id", "1001"), ("mqtt_topic", '"t"'), ("message", '"open"'), ("message", "[1]"), ("qos", "1"),
    ("retain", "false"), ("encoding", '"utf8"'), ("timeout_ms", "1000"), ("properties", "{}"), (r"\u0071os", "1")])
def test_a_member_given_twice_is_refused(shared_rig, member, text):
    first = with_text(member.replace(r"\u0071", "q"), text)
    assert_refused(shared_rig, first[:-1] + f',"{member}":{text}}}'.encode())


def test_an_id_given_twice_is_refused(shared_rig):
    reply = shared_rig.client().ask(encode(request())[:-1] + b',"id":1,"id":1}')
    assert_failure(reply, "bad_request")


# --- encoding
def test_base64_is_published_as_its_bytes(shared_rig):
    topic = next(TOPICS)
    value = request(topic=topic, message="AAEC/+8=", encoding="base64")
    assert published(shared_rig, value, topic).payload == b"\x00\x01\x02\xff\xef"


def test_base64_may_be_said_before_or_after_the_message_and_may_be_empty(shared_rig):
    for members in ({"encoding": "base64", "message": ""}, {"message": "", "encoding": "base64"},
                    {"encoding": "utf8", "message": ""}):
        topic = next(TOPICS)
        assert published(shared_rig, {**members, "device_id": 5, "mqtt_topic": topic}, topic).payload == b""


@pytest.mark.parametrize("message", ["AAEC/+8", "AAEC_-8=", "AA EC/w==", "AAEC/w==\n", "A", "A===", "====", "AA=A",
                                     "AAEC/w==AAEC", "é"])
def test_base64_that_is_not_padded_standard_base64_is_refused(shared_rig, message):
    assert_refused(shared_rig, request(message=message, encoding="base64"))


@pytest.mark.parametrize("encoding", ['"hex"', '"BASE64"', '""', "null", "1", "true"])
def test_an_unknown_encoding_is_refused(shared_rig, encoding):
    assert_refused(shared_rig, with_text("encoding", encoding))


# --- qos and retain
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_is_published_with_its_qos(shared_rig, qos):
    topic = next(TOPICS)
    assert published(shared_rig, request(topic=topic, qos=qos), topic).qos == qos


def test_qos_is_1_and_retain_false_where_nothing_is_said(shared_rig):
    topic = next(TOPICS)
    message = published(shared_rig, request(topic=topic), topic)
    assert (message.qos, message.retain) == (1, False)


def test_the_default_qos_is_configured(lab):
    broker = lab.broker()
    subscriber = lab.subscriber(broker)
    sluice = lab.sluice(broker, defaults={"qos": 2})
    assert_success(sluice.client().ask(request()))
    assert subscriber.wait_for(1)[0].qos == 2


@pytest.mark.parametrize("qos", ["3", "-1", '"1"', "true", "null", "1.0", "[1]"])
def test_any_other_qos_is_refused(shared_rig, qos):
    assert_refused(shared_rig, with_text("qos", qos))


def test_a_retained_message_is_there_for_who_subscribes_later(rig, lab):
    assert_success(rig.client().ask(request(topic="kept", message="last", retain=True)))
    assert_success(rig.client().ask(request(topic="gone", message="first", retain=False)))
    assert rig.subscriber.wait_for(1, "kept")[0].retain
    later = lab.subscriber(rig.broker)
    assert [(m.topic, m.payload) for m in later.wait_for(1)] == [("kept", b"last")]


@pytest.mark.parametrize("retain", ["0", "1", '"true"', "null", "[]"])
def test_any_other_retain_is_refused(shared_rig, retain):
    assert_refused(shared_rig, with_text("retain", retain))


# --- id
@pytest.mark.parametrize("identifier", [
    "a", "", "a b/文", 'quote " and \\', "x" * 256, 0, -1, 2**63 - 1, -2**63, "1"], ids=lambda i: str(i)[:20])
def test_an_id_comes_back_as_sent(shared_rig, identifier):
    reply = shared_rig.client().ask(request(id=identifier))
    assert_success(reply)
    assert reply["id"] == identifier and type(reply["id"]) is type(identifier)


@pytest.mark.parametrize("identifier", ["null", "true", "1.5", "1e3", "[1]", "{}", "9223372036854775808",
                                        "-9223372036854775809", '"' + "x" * 257 + '"', '"' + "文" * 86 + '"'],
                         ids=lambda i: i[:20])
def test_any_other_id_is_refused(shared_rig, identifier):
    assert_refused(shared_rig, with_text("id", identifier))


@pytest.mark.parametrize("identifier", ["abc", 77])
def test_an_id_comes_back_in_faults_too(shared_rig, identifier):
    client = shared_rig.client()
    for wrong in ({"qos": 9}, {"device_id": "x"}, {"mqtt_topic": "a/#"}):
        reply = client.ask({**request(), **wrong, "id": identifier})
        assert_failure(reply, "bad_request")
        assert reply["id"] == identifier
        reply = client.ask({"id": identifier, **request(), **wrong})
        assert_failure(reply, "bad_request")
        assert reply["id"] == identifier


def test_a_reply_without_an_id_has_none(shared_rig):
    assert "id" not in shared_rig.client().ask(request())
    assert "id" not in shared_rig.client().ask(request(qos=9))


def test_ids_may_repeat(shared_rig):
    client = shared_rig.client()
    for _ in range(3):
        client.send(request(id="same"))
    assert [(r["code"], r["id"]) for r in client.read_replies(3)] == [(1, "same")] * 3


# --- timeout_ms
@pytest.mark.parametrize("timeout", [5000, 60000])
def test_a_timeout_within_the_limit_is_accepted(shared_rig, timeout):
    assert_success(shared_rig.client().ask(request(timeout_ms=timeout)))


@pytest.mark.parametrize("timeout", ["0", "-1", "60001", '"100"', "1.5", "true", "null", "99999999999999999999"])
def test_any_other_timeout_is_refused(shared_rig, timeout):
    assert_refused(shared_rig, with_text("timeout_ms", timeout))


def test_the_largest_timeout_is_configured(lab):
    sluice = lab.sluice(lab.broker(), limits={"max_timeout_ms": 20000}, defaults={"publish_timeout_ms": 20000})
    client = sluice.client()
    assert_success(client.ask(request(timeout_ms=20000)))
    assert_failure(client.ask(request(timeout_ms=20001)), "bad_request")


# --- properties
def test_mqtt_5_properties_reach_the_subscriber(shared_rig):
    topic = next(TOPICS)
    message = published(shared_rig, request(topic=topic, properties={
        "content_type": "application/ld+json", "response_topic": "answers/1001", "correlation_data": "job 7",
        "message_expiry_s": 3600, "user": {"origin": "shop", "名": "值", "empty": ""}}), topic)
    properties = message.properties
    assert properties.ContentType == "application/ld+json"
    assert properties.ResponseTopic == "answers/1001"
    assert properties.CorrelationData == b"job 7"
    assert 3500 < properties.MessageExpiryInterval <= 3600
    assert sorted(properties.UserProperty) == sorted([("origin", "shop"), ("名", "值"), ("empty", "")])


def test_correlation_data_is_base64_where_the_message_is(shared_rig):
    topic = next(TOPICS)
    message = published(shared_rig, request(
        topic=topic, message="AAE=", encoding="base64", properties={"correlation_data": "/wA="}), topic)
    assert (message.payload, message.properties.CorrelationData) == (b"\x00\x01", b"\xff\x00")


def test_empty_properties_add_nothing(shared_rig):
    topic = next(TOPICS)
    message = published(shared_rig, request(topic=topic, properties={}), topic)
    assert not hasattr(message.properties, "ContentType") and not hasattr(message.properties, "UserProperty")


def test_256_user_properties_arrive_in_their_order_and_one_more_is_refused(shared_rig):
    topic = next(TOPICS)
    user = {f"name {number}": str(number) for number in range(256)}
    message = published(shared_rig, request(topic=topic, properties={"user": user}), topic)
    assert message.properties.UserProperty == list(user.items())
    refused = shared_rig.client().ask(request(properties={"user": {**user, "one more": ""}}))
    assert_failure(refused, "bad_request")
    assert "256" in refused["detail"]


@pytest.mark.parametrize("properties", [
    "null", "[]", '"x"', "5", '{"content_type":5}', r'{"content_type":"a\u0001"}', '{"response_topic":""}',
    '{"response_topic":"a/#"}', '{"response_topic":"a/+"}', '{"response_topic":null}', '{"correlation_data":5}',
    '{"message_expiry_s":-1}', '{"message_expiry_s":4294967296}', '{"message_expiry_s":"5"}',
    '{"message_expiry_s":1.5}', '{"user":[]}', '{"user":{"a":1}}', '{"user":{"a":null}}', '{"user":{"a":{}}}',
    r'{"user":{"a":"\u0000"}}', r'{"user":{"\u0001":"a"}}', '{"content_type":"a","content_type":"a"}',
    '{"user":{},"user":{}}', '{"content_type":"' + "x" * 65536 + '"}'], ids=lambda text: text[:40])
def test_wrong_properties_are_refused(shared_rig, properties):
    assert_refused(shared_rig, with_text("properties", properties))


def test_correlation_data_that_is_not_base64_is_refused_where_base64_is_said(shared_rig):
    assert_refused(shared_rig, request(message="AAE=", encoding="base64", properties={"correlation_data": "?"}))
