"""A device: a subscriber with its own connection to the broker, over MQTT 5 unless 3.1.1 is asked for."""
import threading
from collections import defaultdict, namedtuple

import paho.mqtt.client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from .waiting import BOUND_S, wait_until

Received = namedtuple("Received", "topic payload qos retain properties")


class Subscriber:
    """Subscribed from the moment the constructor returns; subscribed again whenever its connection
    comes back. With qos 0 it never writes, so a broker that is killed cannot reset its connection
    and take unread messages away."""

    def __init__(self, broker, topic="#", qos=2, username=None, password=None, tls=None, protocol="5"):
        self._lock = threading.Lock()
        self._messages = []
        self._by_topic = defaultdict(list)
        self._subscriptions = 0
        self._topic = topic
        self._qos = qos
        self._is_5 = protocol == "5"
        self._client = mqtt.Client(protocol=mqtt.MQTTv5 if self._is_5 else mqtt.MQTTv311)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(0.02, 0.1)
        self._client.max_inflight_messages_set(0)
        if username is not None:
            self._client.username_pw_set(username, password)
        if tls is not None:
            self._client.tls_set(str(tls.ca), str(tls.certificate), str(tls.key))
            self._client.tls_insecure_set(True)
        self._client.connect(broker.host, broker.port, keepalive=600)
        self._client.loop_start()
        self.wait_for_subscriptions(1)

    def _on_connect(self, client, _userdata, _flags, _reason, _properties=None):
        if self._is_5:
            client.subscribe(self._topic, options=SubscribeOptions(qos=self._qos, retainAsPublished=True))
        else:
            client.subscribe(self._topic, self._qos)

    def _on_subscribe(self, *_arguments):
        with self._lock:
            self._subscriptions += 1

    def _on_message(self, _client, _userdata, message):
        received = Received(message.topic, bytes(message.payload), message.qos, bool(message.retain),
                            message.properties if self._is_5 else None)
        with self._lock:
            self._messages.append(received)
            self._by_topic[received.topic].append(received)

    def _wait(self, condition, what, bound_s=BOUND_S):
        wait_until(condition, lambda: f"{what()}; {len(self._messages)} received: "
                                      f"{[(m.topic, m.payload[:40]) for m in self.messages()[-5:]]}",
                   bound_s, pause_s=0.002)

    def subscriptions(self):
        """How often it has been subscribed, this connection's included."""
        with self._lock:
            return self._subscriptions

    def wait_for_subscriptions(self, count):
        self._wait(lambda: self.subscriptions() >= count, lambda: f"subscription {count}")

    def messages(self, topic=None):
        with self._lock:
            return list(self._messages if topic is None else self._by_topic[topic])

    def payloads(self, topic=None):
        return [m.payload for m in self.messages(topic)]

    def wait_for(self, count, topic=None):
        """Waits for at least this many messages (of one topic) and returns them all."""
        with self._lock:  # or each side may make a list of its own
            received = self._messages if topic is None else self._by_topic[topic]
        self._wait(lambda: len(received) >= count, lambda: f"{count} messages of {topic or 'any topic'}")
        return self.messages(topic)

    def wait_for_payload(self, payload, topic=None):
        self.wait_for_payloads([payload], topic)

    def wait_for_payloads(self, payloads, topic=None, bound_s=BOUND_S):
        """Waits until each of these has been seen (on one topic), repeats and others besides."""
        with self._lock:  # or each side may make a list of its own
            received = self._messages if topic is None else self._by_topic[topic]
        missing, seen = set(payloads), 0

        def all_there():
            nonlocal seen
            fresh = received[seen:]
            missing.difference_update(message.payload for message in fresh)
            seen += len(fresh)
            return not missing

        self._wait(all_there, lambda: f"{len(missing)} more payloads, such as {sorted(missing)[:5]}", bound_s)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
