"""What is measured: loads, the programs that are put under them, and the targets for their figures."""

import dataclasses

# Who is put under load. "limit" and "blocking" publish by themselves; the others stand between generator and broker.
SUBJECTS = {
    "sluice": "this checkout's sluice",
    "other": "the sluice given with --vs",
    "fixed": "this checkout's sluice with the number for max_inflight that serves it best",
    "floor": "the C floor: requests in, PUBLISH out, replies out, on one loop, and nothing else",
    "limit": "libmosquitto alone on one loop, no TCP side, as it reads and writes by itself",
    "limit-batched": "the same with sluice's large reads and writes of the library's socket",
    "node": "a plain Node.js bridge: net and the package mqtt, a pool, a reply on acknowledgement",
    "node-red": "Node-RED: tcp in to mqtt out (one connection), a reply on acknowledgement",
    "blocking": "the old model: 20 tasks that wait for each acknowledgement, two small writes, Nagle's algorithm on",
}
BASELINES = ("limit", "limit-batched", "blocking")
NPM_PEERS = ("node", "node-red")


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    meaning: str
    subjects: tuple
    # sink, tls (one that speaks it), ten-ms and distant (the sink from afar), saturated (a slow one), mosquitto
    broker: str = "sink"
    clients: int = 50
    window: int = 64  # unanswered requests of a client
    qos: int = 1
    payload: int = 100
    links: int = 20  # MQTT connections
    link_windows: tuple = (64,)  # unacknowledged messages of each; of several "limit" and "fixed" take what serves best
    warm_up: float = 0  # seconds at least, for windows that have a long way to open
    rate: float = 0  # messages a second that leave at their time; 0: as fast as replies come
    half_of: str = ""  # at half the rate that the same subject reached in that scenario
    kind: str = "load"  # load, idle (memory of silent clients) or calls (system calls, traced)
    quick: bool = True  # part of --quick


COMMON = ("sluice", "floor", "limit", "node")

SCENARIOS = (
    Scenario("sink", "50 clients x 64 requests, QoS 1, 100 B, into the sink",
             ("sluice", "floor", "limit", "limit-batched", "node", "blocking")),
    Scenario("sink-half", "half of that rate", COMMON, half_of="sink"),
    Scenario("sink-paced", "5,000 a second into the sink", ("sluice", "floor", "node"), rate=5000),
    Scenario("tls", "as fast as replies come, over TLS into a sink that speaks it", ("sluice",), broker="tls"),
    Scenario("mosquitto", "the same as in sink, through Mosquitto",
             ("sluice", "floor", "limit", "limit-batched", "node", "node-red", "blocking"),
             broker="mosquitto"),
    Scenario("mosquitto-half", "half of that rate", ("sluice", "limit", "node", "node-red"), broker="mosquitto",
             half_of="mosquitto"),
    Scenario("mosquitto-paced", "20,000 a second through Mosquitto", ("sluice", "floor", "node"), broker="mosquitto",
             rate=20000, quick=False),
    Scenario("waiting", "20 clients, one request at a time, through Mosquitto", ("sluice", "node"), broker="mosquitto",
             clients=20, window=1),
    Scenario("single", "1 client, one request at a time", COMMON, clients=1, window=1, links=1, link_windows=(1,)),
    Scenario("near", "20,000 requests outstanding, into the sink", ("sluice", "fixed"), window=400,
             link_windows=(64, 128, 256, 512), quick=False),
    Scenario("near-64", "the same with windows of 64", ("fixed",), window=400, quick=False),
    Scenario("near-512", "the same with windows of 512", ("fixed",), window=400, link_windows=(512,), quick=False),
    Scenario("ten-ms", "20,000 requests outstanding, 10 ms to the broker and back", ("sluice", "fixed"),
             broker="ten-ms", window=400, link_windows=(64, 128, 256, 512), warm_up=1, quick=False),
    Scenario("distant", "20,000 requests outstanding, 52 ms to the broker and back", ("sluice", "fixed", "limit"),
             broker="distant", window=400, link_windows=(128, 256, 512, 1000), warm_up=1.5),
    Scenario("saturated", "20,000 requests outstanding, a broker of 20,000 messages a second", ("sluice", "fixed"),
             broker="saturated", window=400, link_windows=(512,), warm_up=23, quick=False),
    Scenario("many-clients", "5,000 clients x 64 requests", ("sluice", "floor"), clients=5000),
    Scenario("many-narrow", "5,000 clients x 4 requests", ("sluice", "floor"), clients=5000, window=4, quick=False),
    Scenario("many-waiting", "5,000 clients, one request at a time", ("sluice", "floor"), clients=5000, window=1,
             quick=False),
    Scenario("idle", "10,000 clients that have sent one request and stay", ("sluice", "node"), clients=10000,
             kind="idle"),
    Scenario("qos0", "QoS 0 into the sink", COMMON, qos=0),
    Scenario("qos2", "QoS 2 into the sink", ("sluice", "limit", "node"), qos=2),
    Scenario("mosquitto-qos0", "QoS 0 through Mosquitto", ("sluice", "limit"), broker="mosquitto", qos=0, quick=False),
    Scenario("mosquitto-qos2", "QoS 2 through Mosquitto", ("sluice", "limit"), broker="mosquitto", qos=2, quick=False),
    Scenario("16B", "messages of 16 B", COMMON, payload=16, quick=False),
    Scenario("1KiB", "messages of 1 KiB", COMMON, payload=1024, quick=False),
    Scenario("64KiB", "messages of 64 KiB, 4 requests a client", COMMON, payload=65536, window=4, link_windows=(3,)),
    Scenario("1MiB", "messages of 1 MiB, 20 clients, one request at a time", COMMON, payload=1048576, clients=20,
             window=1, links=4, link_windows=(1,)),
    Scenario("calls", "system calls of 20,000 requests, traced", COMMON, kind="calls", quick=False),
)

# The order for the plot of throughput over payload size; "sink" is the one of 100 B.
BY_PAYLOAD = ("16B", "sink", "1KiB", "64KiB", "1MiB")


@dataclasses.dataclass(frozen=True)
class Target:
    """`figure` of `above` against the same of `below`, each a (scenario, subject); without `below` it stands alone."""

    meaning: str
    figure: str
    above: tuple
    below: tuple
    bound: float
    at_least: bool
    how: str = "ratio"  # ratio, difference, or value
    unit: str = ""


TARGETS = (
    Target("CPU per message, sluice / limit-batched, sink", "cpu_us", ("sink", "sluice"), ("sink", "limit-batched"), 3,
           False),
    Target("throughput, sluice / C floor, sink", "messages_per_s", ("sink", "sluice"), ("sink", "floor"), 0.3, True),
    Target("throughput, sluice / Node.js bridge, sink", "messages_per_s", ("sink", "sluice"), ("sink", "node"), 12,
           True),
    Target("CPU per message, Node.js bridge / sluice, sink", "cpu_us", ("sink", "node"), ("sink", "sluice"), 12, True),
    Target("p99 at 5,000 a second, sluice / C floor, sink", "p99_us", ("sink-paced", "sluice"),
           ("sink-paced", "floor"), 1.5, False),
    Target("p99 at 5,000 a second, sink", "p99_us", ("sink-paced", "sluice"), (), 1000, False, "value", "us"),
    Target("throughput, TLS / plain, sink", "messages_per_s", ("tls", "sluice"), ("sink", "sluice"), 0.7, True),
    Target("CPU per message, TLS / plain, sink", "cpu_us", ("tls", "sluice"), ("sink", "sluice"), 1.4, False),
    Target("throughput, sluice / limit-batched, Mosquitto", "messages_per_s", ("mosquitto", "sluice"),
           ("mosquitto", "limit-batched"), 0.95, True),
    Target("CPU per message, sluice / limit-batched, Mosquitto", "cpu_us", ("mosquitto", "sluice"),
           ("mosquitto", "limit-batched"), 2.8, False),
    Target("p90 at 20,000 a second, Mosquitto", "p90_us", ("mosquitto-paced", "sluice"), (), 1000, False, "value",
           "us"),
    Target("throughput, sluice / Node.js bridge, Mosquitto", "messages_per_s", ("mosquitto", "sluice"),
           ("mosquitto", "node"), 3, True),
    Target("CPU per message, Node.js bridge / sluice, Mosquitto", "cpu_us", ("mosquitto", "node"),
           ("mosquitto", "sluice"), 6, True),
    Target("throughput, sluice / blocking pool, sink", "messages_per_s", ("sink", "sluice"), ("sink", "blocking"), 400,
           True),
    Target("throughput, sluice / blocking pool, Mosquitto", "messages_per_s", ("mosquitto", "sluice"),
           ("mosquitto", "blocking"), 400, True),
    Target("throughput at 52 ms, sluice with \"auto\" / limit with its best window", "messages_per_s",
           ("distant", "sluice"), ("distant", "limit"), 0.8, True),
    Target("throughput next door, sluice with \"auto\" / with its best number", "messages_per_s", ("near", "sluice"),
           ("near", "fixed"), 0.85, True),
    Target("throughput next door, windows of 512 / of 64", "messages_per_s", ("near-512", "fixed"),
           ("near-64", "fixed"), 0.95, True),
    Target("throughput at 10 ms, sluice with \"auto\" / with its best number", "messages_per_s", ("ten-ms", "sluice"),
           ("ten-ms", "fixed"), 0.85, True),
    Target("throughput at 52 ms, sluice with \"auto\" / with its best number", "messages_per_s", ("distant", "sluice"),
           ("distant", "fixed"), 0.85, True),
    Target("CPU per message, at 52 ms / next door, both \"auto\"", "cpu_us", ("distant", "sluice"), ("near", "sluice"),
           1.6, False),
    Target("time in a saturated broker, \"auto\" / windows of 512", "broker_wait_ms", ("saturated", "sluice"),
           ("saturated", "fixed"), 0.3, False),
    Target("time in a saturated broker, later half of the run / earlier half", "broker_wait_growth",
           ("saturated", "sluice"), (), 1.2, False, "value"),
    Target("p50 of one request at a time, sluice - C floor", "p50_us", ("single", "sluice"), ("single", "floor"), 10,
           False, "difference", "us"),
    Target("throughput, sluice / C floor, 5,000 clients x 4", "messages_per_s", ("many-narrow", "sluice"),
           ("many-narrow", "floor"), 0.5, True),
    Target("throughput, sluice / C floor, 64 KiB", "messages_per_s", ("64KiB", "sluice"), ("64KiB", "floor"), 0.5,
           True),
    Target("throughput, sluice / C floor, 1 MiB", "messages_per_s", ("1MiB", "sluice"), ("1MiB", "floor"), 0.4, True),
    Target("resident memory of an idle client at 10,000", "idle_kib", ("idle", "sluice"), (), 2, False, "value", "KiB"),
)


def quick(scenario):
    """The same with fewer clients, for a run that only shows that the benchmark works."""
    smaller = {5000: 500, 10000: 1000}.get(scenario.clients, scenario.clients)
    meaning = scenario.meaning.replace("5,000 clients", "500 clients").replace("10,000 clients", "1,000 clients")
    return dataclasses.replace(scenario, clients=smaller, meaning=meaning, link_windows=scenario.link_windows[:2][-1:])


def quick_messages(scenario, subject):
    """A quick run counts instead of timing: it brings its figures however slow the programs are."""
    if subject == "blocking" or scenario.window == 1:
        return 200 if scenario.payload <= 1024 else 40
    return 2000 if scenario.payload <= 1024 else 200


def chosen(wanted, is_quick, has_other, skipped):
    """The scenarios of a run, each with the subjects that take part; what halves another one brings that one along."""
    result = []
    for scenario in SCENARIOS:
        needed = scenario.name in wanted or any(s.half_of == scenario.name for s in SCENARIOS if s.name in wanted)
        if (wanted and not needed) or (is_quick and not scenario.quick and not needed):
            continue
        if has_other and "sluice" not in scenario.subjects:
            continue
        subjects = ("sluice", "other") if has_other else scenario.subjects
        subjects = tuple(subject for subject in subjects if subject not in skipped)
        if not subjects:
            continue
        scenario = dataclasses.replace(scenario, subjects=subjects)
        result.append(quick(scenario) if is_quick else scenario)
    return result
