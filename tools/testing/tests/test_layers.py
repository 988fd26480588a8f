"""tools/check-layers is checked itself: a tree with nine faults among lawful includes."""
import subprocess

from testing.builds import ROOT

TREE = {
    "src/base/up.cc": '#include "client/client.h"\n',
    "src/client/door.h": '#include "ledger/intake.h"\n#include <uv.h>\n#include "mqtt/pool/pool.h"\n',
    "src/config/aside.h": '#include "protocol/request.h"\n',
    "src/ledger/up.h": '#include "mqtt/pool/pool.h"\n#include "client/server.h"\n',
    "src/mqtt/up.h": '#include "mqtt/transport/transport.h"\n',
    "src/mqtt/link/up.h": '#include "mqtt/pool/pool.h"\n#include "mqtt/transport/transport.h"\n#include "mqtt/delivery.h"\n',
    "src/mqtt/link/meson.build": "below = [mqtt_transport_dep]\nabove = [mqtt_pool_dep]\n",
    "src/protocol/in_a_header.h": "#include <rapidjson/reader.h>\n",
    "include/sluice/private.h": '#include "base/error.h"\n',
}


def test_a_bad_layer_is_refused(tmp_path):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run([ROOT / "tools/check-layers", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sorted(line.split(": ")[0] for line in done.stdout.splitlines()) == [
        "include/sluice/private.h:1", "src/base/up.cc:1", "src/client/door.h:2", "src/config/aside.h:1",
        "src/ledger/up.h:2", "src/mqtt/link/meson.build:2", "src/mqtt/link/up.h:1", "src/mqtt/up.h:1", "src/protocol/in_a_header.h:1"]
