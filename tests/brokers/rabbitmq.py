"""RabbitMQ with its MQTT plugin: a node with a name, a folder, ports and an epmd of its own."""
from pathlib import Path

from erlang import START_BOUND_S, ErlangBroker
from harness import net
from harness.process import Process
from harness.waiting import wait_until

# Debian's command of that name in PATH changes to the user rabbitmq first.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

CONFIGURATION = """listeners.tcp = none
mqtt.listeners.tcp.1 = {host}:{port}
mqtt.listeners.ssl = none
log.console.level = info
"""


class RabbitMq(ErlangBroker):
    """Debian's 3.10 speaks MQTT 3.1.1 and closes the connection on an MQTT 5 CONNECT. It answers QoS 2 with PUBACK, as
    all versions do."""
    protocol, max_qos = "3.1.1", 1

    def __init__(self, folder):
        super().__init__("RabbitMQ", folder, PROGRAM, "rabbitmq-server")
        self._epmd = None
        self._epmd_port = net.free_port(self.host)
        self._node_port = net.free_port(self.host)
        (folder / "rabbitmq.conf").write_text(CONFIGURATION.format(host=self.host, port=self.port), encoding="ascii")
        (folder / "plugins").write_text("[rabbitmq_mqtt].\n", encoding="ascii")

    def start(self):
        self._start_epmd()
        return self._run([str(PROGRAM)], START_BOUND_S, cwd=self.folder, env=self.environment(
            RUNNING_UNDER_SYSTEMD="true",  # the script then replaces itself by the broker
            RABBITMQ_NODENAME=f"sluice-{self.port}@localhost",
            RABBITMQ_CONF_ENV_FILE=str(self.folder / "none"),
            RABBITMQ_CONFIG_FILE=str(self.folder / "rabbitmq.conf"),
            RABBITMQ_ADVANCED_CONFIG_FILE=str(self.folder / "none.config"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "plugins"),
            RABBITMQ_MNESIA_BASE=str(self.folder / "data"),
            RABBITMQ_LOG_BASE=str(self.folder / "log"),
            RABBITMQ_LOGS="-",
            RABBITMQ_PID_FILE=str(self.folder / "pid"),
            RABBITMQ_DIST_PORT=str(self._node_port),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}",
            ERL_EPMD_ADDRESS=self.host,
            ERL_EPMD_PORT=str(self._epmd_port)))

    def _start_epmd(self):
        """RabbitMQ needs an epmd, and an epmd that it starts itself would outlive it."""
        if self._epmd is None:
            self._epmd = Process(["epmd", "-port", str(self._epmd_port), "-address", self.host],
                                 env=self.environment())
            wait_until(lambda: net.accepts(self._epmd_port, self.host), "epmd listening")

    def close(self):
        super().close()
        if self._epmd:
            self._epmd.kill()
            self._epmd = None
