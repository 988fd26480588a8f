"""The bound of resident memory in the documentation, and its check."""
from .sluice import is_sanitized

KIB, MIB = 1 << 10, 1 << 20
# The defaults of the keys in the bound.
DEFAULTS = {"input_bytes": 64 * MIB, "output_bytes": 256 * KIB, "queue_bytes": 16 * MIB, "inflight_bytes": 4 * MIB,
            "connections": 20}


def bound_of(sluice, clients, unread=0):
    """The bound for this number of clients, `unread` of which do not read their replies."""
    def value(table, key):
        return table.get(key, DEFAULTS[key])
    limits = sluice.config.get("limits", {})
    return (32 * MIB + value(limits, "input_bytes") + clients * 20 * KIB + unread * value(limits, "output_bytes")
            + sum(value(b, "queue_bytes") + 3 * value(b, "inflight_bytes") + value(b, "connections") * 12 * KIB
                  for b in sluice.config["broker"]))


def assert_bounded(sluice, what, clients, unread=0):
    """Peak resident memory is within the bound. Sanitizers need several times as much: with them nothing is checked,
    and tools/test runs these tests without them, too."""
    peak, bound = sluice.peak_resident_bytes(), bound_of(sluice, clients, unread)
    print(f"{what}: {peak / MIB:.1f} MiB resident at most, bound {bound / MIB:.1f} MiB")
    assert is_sanitized() or peak <= bound
