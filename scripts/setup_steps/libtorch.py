"""libtorch, out of PyTorch's wheel: the version that tch wants, on a registry that keeps it for ever."""

from . import wheels
from .report import say
from .staging import DEPS, need_space, staged

FOLDER = DEPS / "libtorch"


def install(cuda: bool) -> bool:
    """Puts libtorch into .deps/libtorch. Once CUDA's libraries are there they stay, for they do no harm."""
    pins = "libtorch-cuda" if cuda else "libtorch"
    if wheels.installed(pins, FOLDER):
        return False
    download, unpacked = ("2.4 GB", 8) if cuda else ("540 MB", 4)
    need_space(DEPS, unpacked, "libtorch")
    say(f"brings libtorch {dict(wheels.pinned(pins))['torch']} ({download}; this takes a few minutes)")
    with staged(FOLDER) as folder:
        wheels.install(pins, folder)
    return True
