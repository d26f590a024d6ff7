"""Folders that are either whole or not there, and one set-up at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .report import SetupError, say

ROOT = Path(__file__).resolve().parents[2]
DEPS = ROOT / ".deps"
GIB = 1024**3


@contextmanager
def exclusive() -> Iterator[None]:
    """Holds a lock, so that two runs at once do the work one after the other."""
    try:
        DEPS.mkdir(exist_ok=True)
        lock = open(DEPS / ".lock", "w")
    except OSError as error:
        raise SetupError(f"cannot write to {DEPS}: {error.strerror}. Clone Rekindle to where you may write.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waits for another set-up of this folder to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staged(final: Path) -> Iterator[Path]:
    """A fresh folder that takes the place of `final` when the block ends well, and is removed when it does not."""
    staging = final.parent / f".new-{final.name}"
    replaced = final.parent / f".old-{final.name}"
    try:
        # A run that was killed leaves these behind.
        for leftover in (staging, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
        staging.mkdir(parents=True)
        yield staging
        if final.exists():
            final.rename(replaced)
        staging.rename(final)
    except OSError as error:
        raise SetupError(f"cannot write {final}: {error.strerror or error}.") from error
    finally:
        for leftover in (staging, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def need_space(folder: Path, gib: int, what: str) -> None:
    """Fails unless the disk of `folder` has `gib` GiB to spare."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize / GIB
    if free < gib:
        raise SetupError(
            f"{what} needs {gib} GiB of free disk space in {folder}; there are {free:.1f}. "
            "Free some, or clone Rekindle onto a larger disk."
        )
