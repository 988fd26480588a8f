"""Host names for sluice that a test can change while it runs, and that are looked up as long as it likes."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("names.c")
SLOW = "slow"  # instead of an address: no answer within any test
NONE = "none"  # the lookup fails at once


class Names:
    """`folder`: for its files. Pass `environment` to lab.sluice(env=…)."""

    def __init__(self, folder, **addresses):
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler for a library to preload")
        self._file = folder / "names"
        library = folder / "names.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "NAMES": str(self._file),
                            # The sanitizer need not come first: it finds the system's getaddrinfo through this one.
                            "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:verify_asan_link_order=0"}
        self.set(**addresses)

    def set(self, **addresses):
        """The addresses by the first part of the name: a="127.0.0.1" is that of a.test."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text("".join(f"{name}.test {address}\n" for name, address in addresses.items()), encoding="utf-8")
        os.replace(fresh, self._file)
