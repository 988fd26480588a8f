"""The soak: sluice under load while its broker is killed, frozen and cut off, again and again.

tools/soak runs it. Brokers, relay, clients and sluice itself are those of the black-box tests, which are made
importable here and nowhere else.
"""
import sys
from pathlib import Path

_BLACKBOX = str(Path(__file__).resolve().parent.parent / "blackbox")
if _BLACKBOX not in sys.path:
    sys.path.insert(0, _BLACKBOX)
