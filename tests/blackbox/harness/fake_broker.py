"""A scripted broker, for what no real one does on request. It has a thread for each connection.

It announces limits, refuses a CONNECT, withholds acknowledgements, answers with a reason code, or disconnects on a
certain payload, and records everything it receives.
"""
import contextlib
import socket
import ssl
import struct
import threading
from collections import namedtuple

from . import mqtt_packets as mqtt
from . import net
from .broker_end import BrokerEnd, Whole
from .waiting import BOUND_S

DROP = object()
WITHHOLD = object()


def withhold(_publish):
    """on_publish of a broker that withholds all acknowledgements."""
    return WITHHOLD


def acknowledge(_publish):
    """on_publish of a broker that acknowledges everything."""


Connection = namedtuple("Connection", "end unacknowledged")


class FakeBroker:
    """connack(connect) → reason code, 0 by default, or bytes to send instead of a CONNACK. on_publish(publish) → None
    to acknowledge, a reason code, WITHHOLD (until acknowledge_all()), or DROP (the connection). Limits are announced
    over MQTT 5 only. `overlaps`: client identifiers that connected while another connection had them.

    tls: a harness.certs.Server. pieces: Whole, SplitAtEveryByte or Glued of harness.broker_end, for all it sends.
    early: the MQTT version of a CONNACK sent before the CONNECT is read. behind_connack(connect) → bytes sent right
    after the CONNACK, in the same segment. `answers`: packets in which sluice acknowledges this broker's packets."""

    host = "127.0.0.1"

    def __init__(self, connack=None, on_publish=None, receive_maximum=None, maximum_qos=None,
                 retain_available=None, maximum_packet_size=None, tls=None, pieces=Whole, early=None,
                 behind_connack=None):
        self.port = net.free_port()
        self._tls = self._context(tls) if tls else None
        self._pieces = pieces
        self._early = early
        self._behind_connack = behind_connack or (lambda connect: b"")
        self._connack = connack or (lambda connect: 0)
        self.on_publish = on_publish or acknowledge
        self._properties = b""
        if receive_maximum is not None:
            self._properties += b"\x21" + struct.pack(">H", receive_maximum)
        if maximum_qos is not None:
            self._properties += b"\x24" + bytes([maximum_qos])
        if retain_available is not None:
            self._properties += b"\x25" + bytes([retain_available])
        if maximum_packet_size is not None:
            self._properties += b"\x27" + struct.pack(">I", maximum_packet_size)
        self._changed = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._live = {}
        self._withheld = []
        self.connects = []
        self.publishes = []
        self.disconnects = []
        self.answers = []
        self.overlaps = []
        self._identifiers = {}
        self.most_unacknowledged = 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'mqtts' if self._tls else 'mqtt'}://{self.host}:{self.port}"

    @staticmethod
    def _context(tls):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        return context

    # --- for tests
    def wait_for(self, condition, what):
        """Waits until condition(self) holds; it is checked after each arrival."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), BOUND_S), (
                f"not within {BOUND_S:g} s: {what}; {len(self.connects)} connects, {len(self.publishes)} publishes")

    def wait_for_publishes(self, count):
        self.wait_for(lambda broker: len(broker.publishes) >= count, f"{count} publishes")
        return list(self.publishes)

    def payloads(self):
        with self._changed:
            return [publish.payload for publish in self.publishes]

    def acknowledge_all(self):
        """Sends the withheld acknowledgements in the order of arrival, except to closed connections."""
        with self._changed:
            held, self._withheld = self._withheld, []
            for out, version, publish in held:
                with contextlib.suppress(OSError):
                    self._acknowledge(out, version, publish, 0)

    def recover(self):
        """Acknowledges everything from now on, withheld messages first."""
        self.on_publish = acknowledge
        self.acknowledge_all()

    def stall(self):
        """Reads nothing after the next packet of each connection, until resume(): the senders' sockets fill up."""
        self._reading.clear()

    def resume(self):
        self._reading.set()

    def drop_connections(self):
        """Closes all connections at once, without a DISCONNECT."""
        with self._changed:
            for connection in self._live.values():
                connection.end.shut()

    def identifiers(self):
        """The client identifiers connected now."""
        with self._changed:
            return sorted(self._identifiers.values())

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        self.resume()

    # --- implementation
    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        end = BrokerEnd(sock, self._tls)
        out = self._pieces(end)
        with self._changed:
            self._live[out] = Connection(end, set())
        try:
            end.shake_hands()
            self._converse(end, out)
        except (OSError, EOFError):
            pass
        with self._changed:
            del self._live[out]
            self._identifiers.pop(out, None)
            self._withheld = [held for held in self._withheld if held[0] is not out]
            self._changed.notify_all()
        end.close()

    def _converse(self, end, out):
        if self._early:
            out.send(mqtt.connack(self._early, 0, self._properties))
        connect = mqtt.parse_connect(mqtt.read_packet(end.read).body)
        reason = self._connack(connect)
        with self._changed:
            self.connects.append(connect)
            if self._is_connected(connect.client_id):
                self.overlaps.append(connect.client_id)
            self._identifiers[out] = connect.client_id
            self._changed.notify_all()
        if isinstance(reason, bytes):
            out.send(reason)
        elif not self._early:
            accepted = mqtt.connack(connect.version, reason, b"" if reason else self._properties)
            out.send(accepted + self._behind_connack(connect))
        if reason and not isinstance(reason, bytes):
            return
        while True:
            self._reading.wait()
            packet = mqtt.read_packet(end.read)
            if packet.kind == mqtt.PINGREQ:
                out.send(mqtt.packet(mqtt.PINGRESP, 0, b""))
            elif packet.kind == mqtt.PUBREL:
                self._complete(out, connect.version, packet)
            elif packet.kind == mqtt.DISCONNECT:
                with self._changed:
                    self.disconnects.append(connect.client_id)
                    self._changed.notify_all()
                return
            elif packet.kind == mqtt.PUBLISH:
                publish = mqtt.parse_publish(packet.flags, packet.body, connect.version)
                if not self._receive(out, connect.version, publish):
                    return
            else:
                with self._changed:
                    self.answers.append(packet)
                    self._changed.notify_all()

    def _is_connected(self, client_id):
        """A connection that its client has closed does not count, read to its end or not."""
        return any(holder == client_id and not self._live[out].end.has_left()
                   for out, holder in self._identifiers.items())

    def _receive(self, out, version, publish):
        with self._changed:
            self.publishes.append(publish)
            unacknowledged = self._live[out].unacknowledged
            if publish.qos:
                unacknowledged.add(publish.packet_id)
                self.most_unacknowledged = max(self.most_unacknowledged, len(unacknowledged))
            answer = self.on_publish(publish)
            if answer is WITHHOLD:
                self._withheld.append((out, version, publish))
            elif answer is not DROP:
                self._acknowledge(out, version, publish, answer or 0)
            self._changed.notify_all()
        return answer is not DROP

    def _acknowledge(self, out, version, publish, reason):
        if not publish.qos:
            return
        kind = mqtt.PUBACK if publish.qos == 1 else mqtt.PUBREC
        if publish.qos == 1 or reason >= 0x80:
            self._live[out].unacknowledged.discard(publish.packet_id)
        out.send(mqtt.acknowledgement(kind, publish.packet_id, version, reason))

    def _complete(self, out, version, packet):
        (packet_id,) = struct.unpack_from(">H", packet.body)
        with self._changed:
            self._live[out].unacknowledged.discard(packet_id)
        out.send(mqtt.acknowledgement(mqtt.PUBCOMP, packet_id, version))
