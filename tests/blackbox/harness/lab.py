"""Makes the parts of a test and closes them in the right order in every case."""
from .broker import Broker
from .fake_broker import FakeBroker
from .relay import Relay
from .sluice import Sluice, broker_table
from .subscriber import Subscriber


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self._brokers, self._subscribers, self._sluices, self._others = [], [], [], []

    def broker(self, start=True, **options):
        """A Mosquitto; keyword arguments as for Broker."""
        broker = Broker(self.folder, **options)
        self._brokers.append(broker)
        return broker.start() if start else broker

    def subscriber(self, broker, **options):
        subscriber = Subscriber(broker, **options)
        self._subscribers.append(subscriber)
        return subscriber

    def sluice(self, *brokers, until="ready", env=None, descriptors=None, arguments=(), **tables):
        """sluice over these brokers (Broker, Relay, url, or a whole [[broker]] table), started."""
        sluice = Sluice(self.folder, [b if isinstance(b, dict) else broker_table(b) for b in brokers], **tables)
        self._sluices.append(sluice)
        if until == "later":
            return sluice
        return sluice.start(until=until, env=env, descriptors=descriptors, arguments=arguments)

    def relay(self, broker, **options):
        return self.keep(Relay(broker, **options))

    def fake_broker(self, **script):
        return self.keep(FakeBroker(**script))

    def keep(self, part):
        """Has part.close() called at the end."""
        self._others.append(part)
        return part

    def close(self):
        faults = []
        for broker in self._brokers:
            broker.thaw()
        for part in [*self._sluices, *self._subscribers, *self._others, *self._brokers]:
            try:
                part.close()
            except BaseException as fault:  # pylint: disable=broad-except
                faults.append(fault)
        if faults:
            raise faults[0]
