"""A scripted broker's end of one connection: plain or TLS, and how its bytes are split into segments."""
import contextlib
import select
import socket
import ssl
import threading

from . import net
from .waiting import wait_until

READ_BYTES = 8192


class BrokerEnd:
    """send(data) is one segment, over TLS one record. Any thread may send; one reads."""

    def __init__(self, sock, tls=None):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._lock = threading.Lock()
        self._unread = bytearray()
        self._from_peer, self._to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._from_peer, self._to_peer, server_side=True) if tls else None
        self.before_waiting = lambda: None  # called before a read that would wait

    def shake_hands(self):
        """Call it first. Does nothing without TLS."""
        while self._tls:
            with self._lock:
                try:
                    self._tls.do_handshake()
                    return
                except ssl.SSLWantReadError:
                    pass
                finally:
                    self._flush()
            self._feed()

    def read(self, count):
        """Exactly `count` bytes, or EOFError."""
        while len(self._unread) < count:
            self.before_waiting()
            data = self._receive()
            if not data:
                raise EOFError
            self._unread += data
        taken = bytes(self._unread[:count])
        del self._unread[:count]
        return taken

    def send(self, data):
        with self._lock:
            if not self._tls:
                self._socket.sendall(data)
                return
            self._tls.write(data)
            self._flush()

    def wait_until_read(self):
        """Waits until the peer has read all that was sent, so that the next bytes are another read, or has closed."""
        wait_until(lambda: not net.unread_by_peer(self._socket), "the client reads its input", pause_s=0.0002)

    def has_left(self):
        """The peer has closed its end, whether or not that was read."""
        ended = select.poll()
        ended.register(self._socket, select.POLLRDHUP)
        return bool(ended.poll(0))

    def shut(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.shut()
        self._socket.close()

    def _receive(self):
        if not self._tls:
            return self._socket.recv(READ_BYTES)
        while True:
            data = self._decrypt()
            if data is not None:
                return data
            self._feed()

    def _feed(self):
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise EOFError
        self._from_peer.write(data)

    def _decrypt(self):
        """None: more input is needed; b"": end of the stream."""
        with self._lock:
            try:
                return self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLError as error:
                raise EOFError from error
            finally:
                self._flush()

    def _flush(self):
        data = self._to_peer.read()
        if data:
            self._socket.sendall(data)


class Whole:
    """Sends each packet at once, in one segment."""

    def __init__(self, end):
        self._end = end

    def send(self, data):
        self._end.send(data)


class SplitAtEveryByte:
    """Sends each byte when the one before it has been read, over TLS in one record each."""

    def __init__(self, end):
        self._end = end
        self._lock = threading.Lock()

    def send(self, data):
        with self._lock:
            for at in range(len(data)):
                self._end.send(data[at:at + 1])
                self._end.wait_until_read()


class Glued:
    """Sends all answers in one segment, over TLS in one record, when all input is read."""

    def __init__(self, end):
        self._end = end
        self._lock = threading.Lock()
        self._waiting = bytearray()
        end.before_waiting = self._send_waiting

    def send(self, data):
        with self._lock:
            self._waiting += data

    def _send_waiting(self):
        with self._lock:
            data, self._waiting = bytes(self._waiting), bytearray()
        if data:
            self._end.send(data)
