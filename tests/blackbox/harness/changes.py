"""Reloads of every kind, applied one after the other while sluice is under load."""
import random

from . import net
from .sluice import broker_table

LOW, HIGH = 0, 41                      # devices 1 to 40, which always have a route
COMING_AND_GOING = (1000000, 1000013)  # devices that have a route only sometimes
BORDERS = (11, 21, 31)


class Certificates:
    """Files for broker.tls whose content changes: certificates of two authorities and of the client."""

    def __init__(self, folder, trusted, other, own):
        self._contents = [(trusted.ca.read_bytes(), own[0]),
                          (other.ca.read_bytes() + trusted.ca.read_bytes(), own[1])]
        self._files = {key: folder / f"{key}.pem" for key in ("ca", "certificate", "key")}
        self.table = {key: str(file) for key, file in self._files.items()}
        self.write(0)

    def write(self, turn):
        ca, own = self._contents[turn % 2]
        self._files["ca"].write_bytes(ca)
        self._files["certificate"].write_bytes(own.certificate.read_bytes())
        self._files["key"].write_bytes(own.key.read_bytes())


def tables(first, second, certificates):
    """The [[broker]] tables that Changes modifies. dead_after_ms is long, for slow machines."""
    lasting = {"dead_after_ms": 60000}
    return [broker_table(first, name="steady", low=LOW, high=BORDERS[0], **lasting),
            broker_table(second.tls_url, name="neighbour", low=BORDERS[0] - 1, high=HIGH, tls=certificates.table,
                         **lasting),
            broker_table(second, name="moving", low=COMING_AND_GOING[0], high=COMING_AND_GOING[1]),
            broker_table(second, name="extra", low=5000000, high=6000000, connections=2)]


class Changes:
    """"steady" is at the first broker, with or without TLS, or at the third one; "neighbour", over TLS, at the
    second, where "moving" and "extra" come and go. `turn`: number of earlier changes of this kind."""

    def __init__(self, sluice, first, second, third, certificates, seed):
        self._sluice = sluice
        self._config = sluice.config
        self._dice = random.Random(seed)
        self._certificates = certificates
        self._steady, self._neighbour, self._moving, self._extra = self._config["broker"]
        self._tables = [self._steady, self._neighbour, self._moving]
        self._places = [first.tls_url, third.url, first.url]
        self._admins = [f"127.0.0.1:{net.free_port()}", "", self._config["admin"]["listen"]]
        self._more_listeners = [net.free_port() for _ in range(2)]
        self._kinds = [
            self.place, self.spelling, self.certificates, self.login, self.protocol, self.keepalive,
            self.identifiers, self.instance, self.name, self.connections, self.window, self.queue, self.times,
            self.border, self.overlap, self.come_or_go, self.extra, self.listeners, self.admin, self.limits,
            self.defaults, self.texts, self.log, self.nothing]

    def next(self, rounds, first=0):
        """Makes one change after the other: all kinds, in another order each round. With first=1 the changes of the
        first round, too, modify the configuration."""
        for turn in range(first, first + rounds):
            self._dice.shuffle(self._kinds)
            for kind in self._kinds:
                kind(turn)
                yield kind.__name__

    def _is_present(self, table):
        return any(each is table for each in self._config["broker"])

    # --- a broker's address and protocol
    def place(self, turn):
        url = self._steady["url"] = self._places[turn % 3]
        self._steady.pop("tls", None)
        if url.startswith("mqtts:"):
            self._steady["tls"] = self._certificates.table

    def spelling(self, turn):
        for table in self._tables:
            scheme, _, rest = table["url"].partition("://")
            table["url"] = f"{scheme}://{('127.0.0.1', 'localhost')[turn % 2]}:{rest.rpartition(':')[2]}"

    def certificates(self, turn):
        self._certificates.write(turn + 1)

    def login(self, turn):
        for table in self._tables:
            table.update(username="shop", password=f"word {turn}")

    def protocol(self, turn):
        for table in self._tables:
            table["protocol"] = ("3.1.1", "5")[turn % 2]

    def keepalive(self, turn):
        for table in self._tables:
            table["keepalive_s"] = 20 + turn

    def identifiers(self, turn):
        for table in self._tables:
            table["client_id"] = f"{{instance}}-{{broker}}-{turn % 3}-{{slot}}"

    def instance(self, turn):
        self._config["server"]["instance"] = f"i{turn}"

    # --- its name and its limits
    def name(self, _turn):
        """Not for an absent broker: it would come back as another one."""
        for table in filter(self._is_present, self._tables):
            name, _, renamed = table["name"].partition("-")
            table["name"] = name if renamed else f"{name}-renamed"

    def connections(self, _turn):
        for table in self._tables:
            table["connections"] = self._dice.randrange(1, 7)

    def window(self, _turn):
        for table in self._tables:
            table["max_inflight"] = self._dice.choice([1, 2, 8, 20, "auto"])

    def queue(self, _turn):
        """Not for a broker that comes and goes: before its first connection it refuses requests beyond its queue."""
        for table in (self._steady, self._neighbour):
            table["queue_messages"] = self._dice.choice([1, 5, 10000])
            table["inflight_bytes"] = self._dice.choice([50, 4194304])

    def times(self, turn):
        for table in self._tables:
            table.update(ack_timeout_ms=15000 + turn, connect_timeout_ms=5000 + turn, dead_after_ms=60000 + turn,
                         reconnect_max_ms=500 + turn)

    # --- its devices
    def border(self, turn):
        """Moves the devices at the border from one broker to the other."""
        self._steady["max_dev_no"] = BORDERS[(turn + 1) % 3]
        self._neighbour["min_dev_no"] = self._steady["max_dev_no"] - 1

    def overlap(self, _turn):
        """Gives the next devices beyond the border to both."""
        self._neighbour["min_dev_no"] = max(self._neighbour["min_dev_no"] - 5, LOW)

    def _turn_over(self, table):
        others = [each for each in self._config["broker"] if each is not table]
        self._config["broker"] = others if self._is_present(table) else [*others, table]

    def come_or_go(self, _turn):
        self._turn_over(self._moving)

    def extra(self, _turn):
        self._turn_over(self._extra)

    # --- other settings
    def listeners(self, turn):
        self._config["server"]["listen"] = [*self._sluice.listen, f"tcp://127.0.0.1:{self._more_listeners[turn % 2]}"]

    def admin(self, turn):
        self._config["admin"]["listen"] = self._admins[turn % 3]

    def limits(self, turn):
        self._config["limits"] = {"max_pipeline": 20 + turn, "output_bytes": 65536 + turn}

    def defaults(self, turn):
        self._config["defaults"] = {"qos": turn % 3, "publish_timeout_ms": 10000 + turn}

    def texts(self, turn):
        self._config["replies"] = {"success": f"done {turn}"}

    def log(self, turn):
        self._config["log"] = {"level": ("trace", "debug")[turn % 2], "format": ("json", "text")[turn // 2 % 2]}

    def nothing(self, _turn):
        pass
