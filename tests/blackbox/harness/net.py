"""Free ports, reachability, and what the kernel knows of a connection."""
import random
import socket

_RANDOM = random.SystemRandom()


def free_port(host="127.0.0.1"):
    """A port nobody listens on. It lies below the range of outgoing connections: a port of that range
    could be taken by any client between two starts of a broker, or even connect to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
        first_outgoing = int(text.read().split()[0])
    low, high = (10240, first_outgoing - 1) if first_outgoing > 11000 else (61001, 65535)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        port = _RANDOM.randint(low, high)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port found")


def accepts(port, host="127.0.0.1"):
    """Whether something listens there now."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def _connections():
    """(local port, remote port, bytes the other end has not acknowledged, bytes this one has not read) of each one."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split()
            yield tuple(int(number, 16) for number in (
                fields[1].split(":")[1], fields[2].split(":")[1], *fields[4].split(":")))


def unread_by_peer(sock):
    """Bytes which the process at the other end of a loopback IPv4 connection has not read yet; None
    when the kernel does not list that end (not accepted yet, or gone)."""
    own, peer = sock.getsockname()[1], sock.getpeername()[1]
    for local, remote, _, unread in _connections():
        if (local, remote) == (peer, own):
            return unread
    return None


def under_way_to(port):
    """Bytes that sockets took for the loopback connections to this port and that have not been read there yet."""
    return sum(unacknowledged if remote == port else unread
               for local, remote, unacknowledged, unread in _connections() if port in (local, remote))
