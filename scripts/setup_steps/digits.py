"""The digits data set as a folder of images, so that there is something to train on."""

import gzip
import tempfile
import zipfile
from pathlib import Path

from . import wheels
from .png import png
from .report import SetupError, say
from .staging import DEPS, ROOT, staged

FOLDER = ROOT / "data" / "datasets" / "digits"
TABLE = "sklearn/datasets/data/digits.csv.gz"
IMAGES = 1797
SIDE = 8
# The table's values go from 0 to this.
WHITE = 16

SOURCE = """\
# Where these images come from

1,797 handwritten digits of 8x8 pixels: the test set of *Optical Recognition of Handwritten Digits*, E. Alpaydin and
C. Kaynak, UCI Machine Learning Repository, 1998, <https://doi.org/10.24432/C50P49>, which its repository offers under
the Creative Commons Attribution 4.0 licence (CC BY 4.0).

`make setup` took them from the table that scikit-learn {version} carries (BSD 3-Clause licence) and wrote each row as
a grey PNG, its values of 0 to 16 spread over 0 to 255, into the folder of its digit. Nothing else was changed.
"""


def unpack() -> bool:
    """Writes data/datasets/digits/<digit>/<row>.png."""
    if (FOLDER / "SOURCE.md").exists() and sum(1 for _ in FOLDER.glob("[0-9]/*.png")) == IMAGES:
        return False
    (_, version), = wheels.pinned("digits")
    say(f"brings the digits data set, out of scikit-learn {version}'s wheel")
    with tempfile.TemporaryDirectory(dir=DEPS) as folder:
        wheels.download("digits", Path(folder))
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            rows = gzip.decompress(archive.read(TABLE)).decode().splitlines()
    if len(rows) != IMAGES:
        raise SetupError(f"scikit-learn {version}'s table of digits has {len(rows)} rows, not {IMAGES}.")
    with staged(FOLDER) as folder:
        for number, row in enumerate(rows):
            *pixels, label = (int(float(value)) for value in row.split(","))
            image = folder / str(label) / f"{number:04}.png"
            image.parent.mkdir(exist_ok=True)
            image.write_bytes(png(bytes(round(pixel * 255 / WHITE) for pixel in pixels), SIDE, channels=1))
        (folder / "SOURCE.md").write_text(SOURCE.format(version=version))
    return True
