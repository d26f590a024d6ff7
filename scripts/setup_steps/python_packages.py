"""Python packages that the examples in the documentation import. The system's own Python stays as it is."""

from . import wheels
from .report import say
from .staging import DEPS, staged

FOLDER = DEPS / "python"


def install() -> bool:
    """Puts them into .deps/python, to be used through PYTHONPATH."""
    if wheels.installed("python", FOLDER):
        return False
    say(f"brings {', '.join(name for name, _ in wheels.pinned('python'))} for the Python examples")
    with staged(FOLDER) as folder:
        wheels.install("python", folder)
    return True
