"""ejabberd with mod_mqtt and no other module: an Erlang node without distribution, so without an epmd."""
from pathlib import Path

from erlang import START_BOUND_S, ErlangBroker

LIBRARIES = sorted(Path("/usr/lib").glob("*/ejabberd*/ebin/ejabberd.beam"))

# auth_method anonymous takes any user name with any password that is not empty. The default of max_queue (5,000) would
# disconnect a subscriber that a fast publisher overruns.
CONFIGURATION = """hosts: [localhost]
loglevel: info
auth_method: [anonymous]
anonymous_protocol: login_anon
allow_multiple_connections: true
listen:
  - port: {port}
    ip: "{host}"
    module: mod_mqtt
    backlog: 128
modules:
  mod_mqtt:
    max_queue: 100000
"""


class Ejabberd(ErlangBroker):
    keys = {"username": "sluice@localhost", "password": "any"}

    def __init__(self, folder):
        super().__init__("ejabberd", folder, LIBRARIES[0] if LIBRARIES else Path("/none"), "ejabberd")
        (folder / "ejabberd.yml").write_text(CONFIGURATION.format(host=self.host, port=self.port), encoding="ascii")

    def start(self):
        return self._run(
            ["erl", "-noinput", "-mnesia", "dir", f'"{self.folder / "data"}"', "-s", "ejabberd"],
            START_BOUND_S, cwd=self.folder, env=self.environment(
                ERL_LIBS=str(LIBRARIES[0].parents[2]),
                EJABBERD_CONFIG_PATH=str(self.folder / "ejabberd.yml"),
                EJABBERD_LOG_PATH=str(self.folder / "ejabberd.log")))
