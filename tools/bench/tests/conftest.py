# The modules of tools/bench lie beside `run`, which finds them there.
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
