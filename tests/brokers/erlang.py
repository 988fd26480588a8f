"""What brokers that are written in Erlang have in common."""
import os
import shutil

from harness.broker_process import BrokerProcess

# Their start takes seconds on an idle machine.
START_BOUND_S = 120


class ErlangBroker(BrokerProcess):
    protocol, keys, max_qos = "5", {}, 2

    def __init__(self, name, folder, program, package):
        assert program.exists() and shutil.which("erl"), (
            f"{package} is not installed; tools/install-deps brokers installs it")
        super().__init__(name)
        self.folder = folder

    def environment(self, **more):
        """HOME is where an Erlang node keeps its cookie."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "ERL_CRASH_DUMP": str(self.folder / "crash.dump"), **more}
