"""Free ports, reachability, and the kernel's information about a connection."""
import errno
import functools
import itertools
import os
import random
import socket
import struct

# The ports of one process; a test uses a few dozen.
BLOCK_PORTS = 250


def _blocks():
    """The first ports of all blocks. They lie below the range of outgoing connections: a port of that range could be
    taken by any client between two starts of a broker, or even connect to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
        first_outgoing = int(text.read().split()[0])
    low, high = (10240, first_outgoing) if first_outgoing > 11000 else (61001, 65536)
    return list(range(low, high - BLOCK_PORTS + 1, BLOCK_PORTS))


class _Ports:
    """A block of ports that no other process of a test run on this machine uses. It is claimed by a name that the
    kernel gives to one socket only and takes back when the process ends."""

    def __init__(self):
        self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        blocks = _blocks()
        random.SystemRandom().shuffle(blocks)
        first = next(filter(self._claims, blocks), None)
        assert first, f"all {len(blocks)} blocks of {BLOCK_PORTS} ports are claimed by other test runs"
        self._cycle = itertools.cycle(range(first, first + BLOCK_PORTS))

    def _claims(self, first):
        try:
            self._claim.bind(f"\0sluice-test-ports-{first}")
        except OSError:
            return False
        return True

    def take(self, host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for port in itertools.islice(self._cycle, BLOCK_PORTS):
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                # As every listener here does: a closed connection in TIME_WAIT does not occupy a port for a minute.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError:
                    continue
                return port
        raise AssertionError(f"none of {BLOCK_PORTS} ports is free")


_ports = functools.cache(_Ports)


def free_port(host="127.0.0.1"):
    """A free port, returned again only after all others of the block."""
    return _ports().take(host)


def accepts(port, host="127.0.0.1"):
    """Whether a process listens there now."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NLMSG_ERROR, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _NETLINK_SOCK_DIAG = 2, 20, 1, 4
_HEADER, _ANY, _LISTENING = struct.Struct("=IHHII"), 0xffffffff, 10
_AT_RECEIVE_QUEUE = _HEADER.size + 4 + 48 + 4  # behind the state, the addresses and the timer


def unread_by_peer(sock):
    """Bytes which the process at the other end of a loopback IPv4 connection has not read yet; None when the kernel
    does not know that end any more. The kernel is asked for this one socket: /proc/net/tcp takes it 10 ms."""
    own, peer = sock.getsockname(), sock.getpeername()
    addresses = b"".join(socket.inet_aton(address).ljust(16, b"\0") for address in (peer[0], own[0]))
    body = (struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY) +
            struct.pack(">HH", peer[1], own[1]) + addresses + struct.pack("=III", 0, _ANY, _ANY))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + body)
        answer = kernel.recv(8192)
    if _HEADER.unpack_from(answer)[1] == _NLMSG_ERROR:
        (error,) = struct.unpack_from("=i", answer, _HEADER.size)
        assert error == -errno.ENOENT, f"the kernel reports no sockets: {os.strerror(-error)}"
        return None
    if answer[_HEADER.size + 1] == _LISTENING:  # returned instead of a connection that is gone
        return None
    return struct.unpack_from("=I", answer, _AT_RECEIVE_QUEUE)[0]


def _queues():
    """(local port, remote port, bytes not acknowledged by the other end, bytes not read by this one) of each socket."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split()
            yield tuple(int(number, 16) for number in (
                fields[1].split(":")[1], fields[2].split(":")[1], *fields[4].split(":")))


def under_way_to(port):
    """Bytes that sockets took for the loopback connections to this port and that have not been read there yet. Bytes
    move from the sender's queue to the receiver's: read in this order, none can be missed."""
    unacknowledged = sum(queued for _, remote, queued, _ in _queues() if remote == port)
    return unacknowledged + sum(unread for local, _, _, unread in _queues() if local == port)
