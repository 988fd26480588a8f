"""What depends on a changed file: a table, so that it can be foretold. What it leaves out, --full looks at."""
import importlib.machinery
import importlib.util
import re
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePath

from .builds import ROOT


@dataclass
class Scope:
    """What depends on some files."""
    jobs: set = field(default_factory=set)
    unit: set = field(default_factory=set)  # names of unit programs
    black_box: set = field(default_factory=set)  # patterns for names of files, without .py

    def is_empty(self):
        return not (self.jobs or self.unit or self.black_box)

    def __or__(self, other):
        return Scope(self.jobs | other.jobs, self.unit | other.unit, self.black_box | other.black_box)


# A file of src/LAYER concerns the unit programs of the layer and of all layers above it, and these black-box files.
BLACK_BOX = {
    "base": {"test_logs"},
    "protocol": {"test_requests", "test_framing", "test_odd_clients", "test_replies", "test_large"},
    "config": {"test_commands", "test_reload"},
    "event": {"test_framing", "test_unix", "test_stop", "test_stall", "test_broker_names", "test_gone_clients"},
    "mqtt": {"test_broker_*", "test_redelivery", "test_tls*", "test_order"},
    "mqtt/transport": {"test_broker_*", "test_tls*", "test_binary", "test_large"},
    "mqtt/link": {"test_broker_*", "test_redelivery", "test_order"},
    "mqtt/pool": {"test_broker_*", "test_redelivery", "test_order", "test_backpressure", "test_failures"},
    "ledger": {"test_routing", "test_failures", "test_fanout", "test_stop", "test_stall", "test_backpressure",
               "test_replies"},
    "client": {"test_framing", "test_odd_clients", "test_backpressure", "test_limits", "test_proxy_protocol",
               "test_replies", "test_gone_clients", "test_client_memory"},
    "queue": set(),
    "app": {"test_stop", "test_reload*", "test_rolling_restart"},
    "admin": {"test_admin", "test_failures", "test_metrics", "test_status", "test_prometheus", "test_http_*",
              "test_broker_reasons"},
    "sdk": {"test_send", "test_documents"},
    "cli": {"test_commands", "test_send", "test_systemd", "test_logs", "test_descriptors"},
}
# The unit programs of each layer, and those beside the layers.
UNIT = {layer: {layer} for layer in BLACK_BOX} | {
    "mqtt": {"mqtt"}, "mqtt/transport": {"mqtt"}, "mqtt/link": {"mqtt", "window"}, "mqtt/pool": {"mqtt"},
    "app": set(), "sdk": {"cli"}, "cli": {"cli", "supervisor"}}
ALL_UNIT = set().union(*UNIT.values(), {"ledger-program", "bench"})

# Other files, and what concerns some sources besides. "*" passes slashes; all rows that match count.
ROWS = (
    ("meson*", Scope({"build-tests"}, ALL_UNIT)),
    ("src/mqtt/*", Scope({"ledger"})),
    ("src/ledger/*", Scope({"ledger"})),
    ("src/app/*", Scope({"ledger"})),
    ("src/queue/*", Scope({"store"})),
    ("src/*/pch/*", Scope(unit=ALL_UNIT)),
    ("include/*", Scope(unit={"cli"}, black_box={"test_documents"})),
    ("tests/support/*", Scope({"ledger"}, {"event", "mqtt", "ledger-program"})),
    ("tests/support/lossy_*", Scope({"store"}, {"queue"})),
    ("tests/ledger/*", Scope({"ledger"}, {"ledger-program"})),
    ("tests/store/*", Scope({"store"})),
    ("tests/soak/*", Scope({"soak-judge"})),
    ("tests/brokers/*", Scope({"brokers"})),
    ("tests/container/*", Scope({"container-files"})),
    ("tests/prometheus/*", Scope(black_box={"test_prometheus"})),
    ("conf/*", Scope({"container-files"}, {"config"})),
    ("conf/prometheus/*", Scope(black_box={"test_prometheus"})),
    ("conf/systemd/*", Scope({"systemd-unit"}, black_box={"test_systemd"})),
    ("docs/*", Scope({"container-files"}, {"config", "cli"}, {"test_documents"})),
    ("README.md", Scope(black_box={"test_documents"})),
    ("Dockerfile", Scope({"container-files"})),
    ("compose.yaml", Scope({"container-files"})),
    ("tools/bench/*", Scope({"bench", "bench-tests"}, {"bench"})),
    ("tools/testing/*", Scope({"tools"})),
    ("tools/test", Scope({"tools"})),
    ("tools/check-layers", Scope({"tools"})),
)

TIDY_MOST = 12  # sources in one run; each takes clang-tidy 2 to 10 s


def scope_of(file):
    """What depends on one file: a black-box test on itself, all of them on anything else beside them."""
    scope, parts = Scope(), PurePath(file).parts
    for pattern, more in ROWS:
        if fnmatch(file, pattern):
            scope |= more
    folder = parts[1] if len(parts) > 2 else ""
    if parts[0] == "src" and folder in BLACK_BOX:
        room = "/".join(parts[1:3])
        layer = room if room in BLACK_BOX else folder
        scope |= Scope(unit=units_above(layer), black_box=BLACK_BOX[layer])
    elif (parts[0], folder) == ("tests", "unit"):
        scope |= Scope(unit=UNIT.get(parts[2], ALL_UNIT))
    elif (parts[0], folder) == ("tests", "blackbox"):
        is_test = len(parts) == 3 and parts[2].startswith("test_")
        scope |= Scope(black_box={PurePath(file).stem if is_test else "test_*"})
    return scope


def units_above(layer):
    below = layers_below()
    return {name for other in UNIT if other == layer or layer in below[other] for name in UNIT[other]}


def layers_below():
    """For each layer those that it may use, by tools/check-layers."""
    sys.dont_write_bytecode = True  # beside a program without an ending
    loader = importlib.machinery.SourceFileLoader("check_layers", str(ROOT / "tools/check-layers"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_layers", loader))
    loader.exec_module(module)
    return module.BELOW


def black_box_files(patterns, root=ROOT):
    return sorted(str(file.relative_to(root)) for file in (root / "tests/blackbox").glob("test_*.py")
                  if any(fnmatch(file.stem, pattern) for pattern in patterns))


def formatted(root=ROOT):
    """All that clang-format looks at."""
    return sorted(str(file.relative_to(root)) for folder in ("src", "include", "tests", "tools", "docs/examples")
                  for ending in ("*.h", "*.cc") for file in (root / folder).rglob(ending))


def sources_to_tidy(files, root=ROOT):
    """The changed sources below src, then those that include a changed header; at most TIDY_MOST, and how many more."""
    sources = [file for file in files if fnmatch(file, "src/*.cc") and (root / file).exists()]
    headers = {file.removeprefix("src/").removeprefix("include/") for file in files if fnmatch(file, "*.h")}
    for source in sorted((root / "src").rglob("*.cc")):
        path = str(source.relative_to(root))
        if path not in sources and headers & set(INCLUDE.findall(source.read_text(encoding="utf-8"))):
            sources.append(path)
    return sources[:TIDY_MOST], max(0, len(sources) - TIDY_MOST)


INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
