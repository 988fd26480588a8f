"""Fixtures of the container suite. test_files.py needs nothing; test_image.py needs root and takes minutes, because it
builds the image's stages with debootstrap: python3 -m pytest tests/container
"""
import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

from harness.lab import Lab  # noqa: E402
from network import PrivateNetwork  # noqa: E402
import rootfs  # noqa: E402

ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def image():
    """The image of Dockerfile, built; removed afterwards, but for the tarball that both stages start from."""
    cache = ROOT / "build" / "container"
    cache.mkdir(parents=True, exist_ok=True)
    reason = rootfs.missing(cache)
    if reason:
        pytest.skip(reason)
    remove_leftovers(cache)
    folder = cache / f"stages-{os.getpid()}"
    folder.mkdir()
    try:
        yield rootfs.Image(ROOT, folder, cache)
    finally:
        shutil.rmtree(folder)


def remove_leftovers(cache):
    """Removes what killed runs have left."""
    for folder in cache.glob("stages-*"):
        if not Path("/proc", folder.name.removeprefix("stages-")).exists():
            shutil.rmtree(folder)


@pytest.fixture
def lab(image, tmp_path):  # pylint: disable=unused-argument,redefined-outer-name
    """As in the black-box suite, in its own network. The image is built first, because that needs the mirrors."""
    with PrivateNetwork():
        lab = Lab(tmp_path)
        yield lab
        lab.close()
