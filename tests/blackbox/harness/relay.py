"""A TCP relay between sluice and a broker that can stall, cut, refuse, split, delay, and count."""
import select
import socket
import threading
import time
from collections import namedtuple

from . import net
from .waiting import BOUND_S

# The first `opening_bytes` from the target on each connection arrive in pieces, as over a real network:
# each `pause_s` after the one before, the very first after `delay_s`.
Split = namedtuple("Split", "piece_bytes pause_s delay_s opening_bytes", defaults=(500, 0.005, 0.03, 8192))


class Relay:
    """Has a thread for each connection. Stalled, it reads from neither side, so that the senders' sockets fill up;
    cut, it resets every connection; refusing, it accepts no connection. `split`: a Split."""

    def __init__(self, target, host="127.0.0.1", split=None):
        self.host = host
        self.port = net.free_port(host)
        self._target = target
        self._split = split
        self._lock = threading.Lock()
        self._pairs = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = False
        self._listener = None
        self.connections = 0
        self.bytes_up = 0
        self.accept()

    @property
    def url(self):
        return f"mqtt://{self.host}:{self.port}"

    # --- for tests
    def stall(self):
        self._flowing.clear()

    def resume(self):
        self._flowing.set()

    def cut(self, count=None):
        """Resets all connections, or the oldest `count`: data in transit in either direction is lost."""
        with self._lock:
            self._take_waiting()
            count = len(self._pairs) if count is None else count
            pairs, self._pairs = self._pairs[:count], self._pairs[count:]
        for pair in pairs:
            for end in pair:
                self._reset(end)

    def refuse(self):
        """Refuses new connections from now on; existing ones stay."""
        with self._lock:
            self._take_waiting()
            listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def accept(self):
        """Accepts connections again."""
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(128)
        listener.setblocking(False)
        with self._lock:
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self):
        self._closed = True
        self.refuse()
        self.cut()
        self._flowing.set()

    # --- implementation
    @staticmethod
    def _reset(end):
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        end.close()

    def _accept(self, listener):
        while True:
            try:
                select.select([listener], [], [])
            except (OSError, ValueError):
                return
            with self._lock:
                if self._listener is not listener:
                    return
                self._take_waiting()

    def _take_waiting(self):
        """Accepts connections that are in the backlog, so that cut() resets them, too. Called with the lock."""
        while self._listener:
            try:
                near, _ = self._listener.accept()
            except BlockingIOError:
                return
            pair = [near]
            self._pairs.append(pair)
            self.connections += 1
            threading.Thread(target=self._serve, args=(pair,), daemon=True).start()

    def _serve(self, pair):
        try:
            far = socket.create_connection((self._target.host, self._target.port), timeout=BOUND_S)
        except OSError:
            self._forget(pair)
            self._reset(pair[0])
            return
        with self._lock:
            pair.append(far)
            was_cut = pair not in self._pairs
        try:
            for end in pair:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.settimeout(BOUND_S * 4)
            if not was_cut:
                self._pump(*pair)
        except (OSError, ValueError):
            pass
        self._forget(pair)
        for end in pair:
            end.close()

    def _forget(self, pair):
        with self._lock:
            if pair in self._pairs:
                self._pairs.remove(pair)

    def _pump(self, near, far):
        passed_down = 0
        while not self._closed:
            self._flowing.wait()
            readable, _, _ = select.select([near, far], [], [], 0.05)
            if not self._flowing.is_set():
                continue
            for end in readable:
                data = end.recv(1 << 16)
                if not data:
                    return
                if end is near:
                    far.sendall(data)
                    self.bytes_up += len(data)
                else:
                    self._pass_down(near, data, passed_down)
                    passed_down += len(data)

    def _pass_down(self, near, data, passed):
        while self._split and data and passed < self._split.opening_bytes:
            time.sleep(self._split.pause_s if passed else self._split.delay_s)
            piece, data = data[:self._split.piece_bytes], data[self._split.piece_bytes:]
            near.sendall(piece)
            passed += len(piece)
        near.sendall(data)
