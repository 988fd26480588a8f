"""A client of sluice, as the PHP back end or netcat would be: raw bytes out, replies in."""
import contextlib
import json
import socket
import ssl
import struct
import threading

from . import net
from .waiting import BOUND_S, wait_until


class EndOfConnection(AssertionError):
    """The connection was closed instead of a reply."""


def request(device=1001, topic="dev/1001/cmd", message="open", **members):
    """A request as a dict, with its members in the order of the existing clients."""
    return {"device_id": device, "mqtt_topic": topic, "message": message, **members}


def encode(value):
    """Compact UTF-8 JSON without any framing; bytes stay as they are."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def frame(value):
    """The same after a 4-byte big-endian length."""
    body = encode(value)
    return struct.pack(">I", len(body)) + body


class Client:
    """is_paused(client): whether sluice reports it as paused."""

    def __init__(self, address, family=None, receive_buffer=None, tls=None, end=b"\n", is_paused=None):
        if family is None:
            family = socket.AF_UNIX if isinstance(address, str) else (
                socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(BOUND_S)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(address)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._end = end
        self._is_paused = is_paused
        self._input = bytearray()
        self._eof = False
        self._threads = []

    # --- sending
    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, value):
        """One request of a JSON stream, without framing."""
        self.send_raw(encode(value))

    def send_frame(self, value):
        self.send_raw(frame(value))

    def send_in_background(self, data):
        """Sends in a thread, because sluice may stop reading for a while. A connection that is closed meanwhile
        ends it."""
        def work():
            try:
                self.socket.sendall(data)
            except (OSError, ssl.SSLError):
                pass
        self.socket.settimeout(None)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    def wait_until_read(self):
        """Waits until sluice has read everything sent so far, so that the next bytes are another read."""
        wait_until(lambda: net.unread_by_peer(self.socket) == 0, "sluice reads its input", pause_s=0.0005)

    def wait_until_paused(self):
        """Waits until sluice reports this connection as paused and leaves its input unread: the unread bytes stay the
        same over five answers of /status, each of which takes a turn of its loop."""
        seen = []

        def settled():
            seen.append(net.unread_by_peer(self.socket) if self._is_paused(self) else None)
            return seen[-1] and len(seen) >= 5 and len(set(seen[-5:])) == 1
        wait_until(settled, lambda: f"sluice stops reading this connection; unread lately: {seen[-5:]}")

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    # --- receiving
    def _fill(self, bound_s=BOUND_S):
        if self._eof:
            return False
        self.socket.settimeout(bound_s)
        chunk = self.socket.recv(1 << 16)
        self._eof = not chunk
        self._input += chunk
        return bool(chunk)

    def read_line(self):
        """The bytes of one reply, without `[replies] end`."""
        assert self._end, "without an end of replies use read_bytes"
        scanned = 0
        while True:
            at = self._input.find(self._end, scanned)
            if at >= 0:
                line = bytes(self._input[:at])
                del self._input[:at + len(self._end)]
                return line
            scanned = max(0, len(self._input) - len(self._end) + 1)
            if not self._fill():
                raise EndOfConnection(f"instead of a reply; before it: {bytes(self._input)!r}")

    def read_bytes(self, count):
        while len(self._input) < count:
            if not self._fill():
                raise EndOfConnection(f"instead of {count} bytes; before it: {bytes(self._input)!r}")
        taken = bytes(self._input[:count])
        del self._input[:count]
        return taken

    def read_reply(self):
        return json.loads(self.read_line())

    def read_replies(self, count):
        return [self.read_reply() for _ in range(count)]

    def read_frame(self):
        (length,) = struct.unpack(">I", self.read_bytes(4))
        return json.loads(self.read_bytes(length))

    def read_until_eof(self):
        """Waits until the peer closes and returns all that came before; then closes this side, too, so that sluice
        need not wait for it. A reset fails here."""
        while self._fill():
            pass
        with contextlib.suppress(OSError):  # while a thread is sending, the peer may reset the connection now
            self.half_close()
        rest = bytes(self._input)
        self._input.clear()
        return rest

    def read_replies_until_eof(self):
        """All remaining replies; the connection must be closed after a whole one."""
        rest = self.read_until_eof()
        assert not rest or rest.endswith(self._end), rest[-200:]
        return [json.loads(line) for line in rest.split(self._end) if line]

    def has_input(self):
        """Whether there is unread input; does not wait."""
        if self._input:
            return True
        self.socket.settimeout(0)
        try:
            chunk = self.socket.recv(1 << 16)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.socket.settimeout(BOUND_S)
        self._eof = not chunk
        self._input += chunk
        return True

    # --- both
    def ask(self, value):
        self.send(value)
        return self.read_reply()

    def reset(self):
        """Closes with a reset, which leaves no TIME_WAIT entry: thousands in the kernel's table would slow down every
        search there."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        """Closes the connection; wakes a sender in the background."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self._threads:
            thread.join(BOUND_S)
        self.socket.close()
