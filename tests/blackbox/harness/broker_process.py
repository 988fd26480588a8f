"""A broker as a process: it can be frozen, killed and started again."""
import contextlib
import signal

from . import net
from .process import Process
from .waiting import BOUND_S, wait_until


class BrokerProcess:
    """The base of all real brokers. start() of a subclass calls _run() with the command, which has to be the broker
    itself, or a script that replaces itself by it: this process is what is frozen and killed."""

    def __init__(self, name, port=None, host="127.0.0.1"):
        self.name = name
        self.host = host
        self.port = port or net.free_port(host)
        self._process = None

    @property
    def url(self):
        return f"mqtt://{self.host}:{self.port}"

    def _run(self, arguments, bound_s=BOUND_S, **more):
        """Runs it and waits until its port is open. more: as for Process."""
        assert self._process is None
        self._process = Process(arguments, **more)
        wait_until(lambda: net.accepts(self.port, self.host) or not self._process.is_running(),
                   lambda: f"{self.name} listening\n{self.log()[-4000:]}", bound_s)
        assert self._process.is_running(), self._process.output()
        return self

    def is_running(self):
        return self._process is not None and self._process.is_running()

    def log(self):
        return self._process.output()

    def freeze(self):
        self._process.freeze()

    def thaw(self):
        if self._process:
            self._process.thaw()

    @contextlib.contextmanager
    def frozen(self):
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def kill(self):
        """As a crash would: kill -9."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, number):
        if self._process is None:
            return
        self._process.signal(number)
        self._process.thaw()
        self._process.wait()
        self._process = None

    def close(self):
        if self._process:
            self._process.kill()
            self._process = None
