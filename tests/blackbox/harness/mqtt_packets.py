"""Enough of MQTT 5 and 3.1.1 to act as a broker and to talk to one: reads packets and builds the few needed."""
import struct
from collections import namedtuple

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBACK, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = 9, 11, 12, 13, 14, 15

Packet = namedtuple("Packet", "kind flags body")
Connect = namedtuple("Connect", "version client_id clean username password keepalive properties")
Publish = namedtuple("Publish", "topic payload qos retain dup packet_id")


def variable_integer(value):
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def take_integer(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def take_bytes(data, at):
    (length,) = struct.unpack_from(">H", data, at)
    return data[at + 2:at + 2 + length], at + 2 + length


def counted(data):
    """After their 2-byte length."""
    return struct.pack(">H", len(data)) + data


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + variable_integer(len(body)) + body


def read_packet(read):
    """read(n) returns exactly n bytes or raises EOFError."""
    first = read(1)[0]
    length, shift = 0, 0
    while True:
        byte = read(1)[0]
        length |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            break
    return Packet(first >> 4, first & 15, read(length) if length else b"")


def parse_connect(body):
    _, at = take_bytes(body, 0)
    version, flags = body[at], body[at + 1]
    (keepalive,) = struct.unpack_from(">H", body, at + 2)
    at += 4
    properties = b""
    if version == 5:
        length, at = take_integer(body, at)
        properties = body[at:at + length]
        at += length
    client_id, at = take_bytes(body, at)
    username = password = None
    if flags & 0x80:
        username, at = take_bytes(body, at)
    if flags & 0x40:
        password, at = take_bytes(body, at)
    return Connect(version, client_id.decode(), bool(flags & 2), username, password, keepalive, properties)


def parse_publish(flags, body, version):
    topic, at = take_bytes(body, 0)
    qos, packet_id = flags >> 1 & 3, None
    if qos:
        (packet_id,) = struct.unpack_from(">H", body, at)
        at += 2
    if version == 5:
        length, at = take_integer(body, at)
        at += length
    return Publish(topic.decode(), body[at:], qos, bool(flags & 1), bool(flags & 8), packet_id)


def connect(version, client_id, keepalive=60):
    """A clean start without a user name."""
    properties = b"\0" if version == 5 else b""
    return packet(CONNECT, 0, counted(b"MQTT") + bytes([version, 2]) + struct.pack(">H", keepalive) + properties +
                  counted(client_id.encode()))


def publish(version, topic, payload, qos=0, packet_id=None):
    identifier = struct.pack(">H", packet_id) if qos else b""
    return packet(PUBLISH, qos << 1, counted(topic.encode()) + identifier + (b"\0" if version == 5 else b"") + payload)


def connack(version, reason, properties):
    """properties: bytes of the MQTT 5 property list, without its length."""
    body = bytes([0, reason])
    return packet(CONNACK, 0, body + (variable_integer(len(properties)) + properties if version == 5 else b""))


def acknowledgement(kind, packet_id, version, reason=0):
    body = struct.pack(">H", packet_id)
    if version == 5 and reason:
        body += bytes([reason, 0])
    return packet(kind, 2 if kind == PUBREL else 0, body)
