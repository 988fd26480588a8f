# The modules of tools/bench lie beside `run`, which finds them there; `harness` is that of the black-box tests.
import pathlib
import sys

BENCH = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCH), str(BENCH.parent.parent / "tests" / "blackbox")]
