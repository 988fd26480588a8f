"""tools/check-layers is checked itself: a tree with eight faults among lawful includes."""
import subprocess

from testing.builds import ROOT

TREE = {
    "src/base/up.cc": '#include "client/client.h"\n',
    "src/client/aside.h": '#include "mqtt/pool/pool.h"\n#include <uv.h>\n#include "base/error.h"\n',
    "src/ledger/lawful.cc": '#include "mqtt/pool/pool.h"\n',
    "src/mqtt/up.h": '#include "mqtt/transport/transport.h"\n',
    "src/mqtt/link/up.h": '#include "mqtt/pool/pool.h"\n#include "mqtt/transport/transport.h"\n#include "mqtt/message.h"\n',
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
        "include/sluice/private.h:1", "src/base/up.cc:1", "src/client/aside.h:1", "src/client/aside.h:2",
        "src/mqtt/link/meson.build:2", "src/mqtt/link/up.h:1", "src/mqtt/up.h:1", "src/protocol/in_a_header.h:1"]
