"""What a classifier is given of drawn digits, and what its answers say of them."""

import shutil
from pathlib import Path

from .system import DemoError
from .verdict import accuracy_of, artifacts

# How many of each digit are drawn.
EACH = 50
# The share that the classifier has to take for the digit that was asked for.
ENOUGH = 0.9


def assemble(real: Path, drawn: Path, exam: Path) -> Path:
    """Makes the data of the classifier: every real digit to learn from, what was drawn to be held out."""
    digits = sorted(folder.name for folder in real.iterdir() if folder.is_dir())
    if not digits:
        raise DemoError(f"there are no digits in {real}; run `make setup`")
    for digit in digits:
        found = len(list((drawn / digit).glob("*.png")))
        if found != EACH:
            raise DemoError(f"{EACH} images of {digit} should lie in {drawn / digit}, and there are {found}")
        shutil.copytree(real / digit, exam / "train" / digit)
        shutil.copytree(drawn / digit, exam / "val" / digit)
    return exam


def promises(reading: dict) -> list[tuple[bool, str]]:
    """Each promise with whether it was kept. `reading` is the classifier's job."""
    metrics = reading["result"]["metrics"]
    epochs, asked = metrics["epochs"], reading["submission"]["params"]["epochs"]
    share = accuracy_of(reading)
    return [
        (epochs == asked, f"the classifier was trained for all of its epochs ({epochs:.0f} of {asked})"),
        (ENOUGH <= share, f"it takes at least {ENOUGH:.0%} of what was drawn for what was asked for ({share:.1%})"),
    ]


def summary(drawing: dict, reading: dict, checkpoints: Path, drawn: Path) -> list[tuple[str, str]]:
    """Names and values for people."""
    metrics = drawing["result"]["metrics"]
    rows = [
        ("loss", f"{metrics['val_loss']:.4f} on the images held out"),
        ("taken for right", f"{accuracy_of(reading):.1%} of what was drawn, by the classifier's last epoch"),
        ("each as a file", str(drawn)),
    ]
    rows += [(path.name, str(path)) for path in artifacts(drawing, checkpoints)]
    return rows
