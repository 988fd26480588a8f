"""The test's own network, with only loopback: the image's ports are free in it."""
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

_LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class PrivateNetwork:
    """Moves the calling thread into it, with the processes and threads that it starts later."""

    def __enter__(self):
        self._former = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _checked(_LIBC.unshare(CLONE_NEWNET))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        return self

    def __exit__(self, *_):
        _checked(_LIBC.setns(self._former, CLONE_NEWNET))
        os.close(self._former)
