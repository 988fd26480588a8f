"""The brokers that Debian and npm give, each with a configuration of its own, on loopback, without a service.

What a kind says of itself: `protocol`, the newest MQTT version that it speaks; `keys`, what a [[broker]] table needs
beyond the defaults; `max_qos`, the highest QoS that it takes.
"""
from aedes import Aedes
from ejabberd import Ejabberd
from harness.broker import Broker
from rabbitmq import RabbitMq


class Mosquitto(Broker):
    protocol, keys, max_qos = "5", {}, 2

    def __init__(self, folder):
        super().__init__(folder, verbose=False)


KINDS = {"mosquitto": Mosquitto, "rabbitmq": RabbitMq, "ejabberd": Ejabberd, "aedes": Aedes}
