"""Python packages, in folders to be named in PYTHONPATH. The system's own Python stays as it is."""

from . import wheels
from .report import say
from .staging import DEPS, staged


def install(pins: str, purpose: str) -> bool:
    """Puts the packages of a pin file into the folder of its name below .deps."""
    folder = DEPS / pins
    if wheels.installed(pins, folder):
        return False
    say(f"brings {', '.join(name for name, _ in wheels.pinned(pins))} {purpose}")
    with staged(folder) as fresh:
        wheels.install(pins, fresh)
    return True
