"""tools/check-layers is checked itself: a tree with five faults and two lawful includes."""
import subprocess

from testing.builds import ROOT

TREE = {
    "src/base/up.cc": '#include "client/client.h"\n',
    "src/client/aside.h": '#include "mqtt/pool.h"\n#include <uv.h>\n#include "base/error.h"\n',
    "src/bridge/lawful.cc": '#include "mqtt/pool.h"\n',
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
        "src/protocol/in_a_header.h:1"]
