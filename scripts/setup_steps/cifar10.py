"""CIFAR-10 as a folder of images, for the time to accuracy that others tell too."""

import hashlib
import http.client
import io
import tarfile
import urllib.request
from pathlib import Path

from .png import png
from .report import SetupError, say
from .staging import ROOT, need_space, staged

FOLDER = ROOT / "data" / "datasets" / "cifar10"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
# As TensorFlow Datasets knows it.
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
INSIDE = "cifar-10-batches-bin"
PARTS = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
SIDE = 32
CHANNELS = 3
PLANE = SIDE * SIDE
# A label, then the planes of red, green and blue.
RECORD = 1 + CHANNELS * PLANE
WAIT_S = 60

SOURCE = """\
# Where these images come from

CIFAR-10, 60,000 photos of 32x32 pixels in ten classes: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny
Images*, 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>. `scripts/setup.py --cifar10` took them from there and wrote
each as PNG into the folder of its class. Nothing else was changed.
"""


def bring() -> bool:
    """Writes data/datasets/cifar10/<part>/<class>/<number>.png."""
    if (FOLDER / "SOURCE.md").exists():
        return False
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    need_space(FOLDER.parent, 1, "CIFAR-10")
    say("brings CIFAR-10 (170 MB)")
    archive = fetched()
    if hashlib.sha256(archive).hexdigest() != SHA256:
        raise SetupError(f"what {URL} gives is not the CIFAR-10 that is known: its SHA-256 is another.")
    with staged(FOLDER) as folder:
        unpack(archive, folder)
    return True


def fetched() -> bytes:
    try:
        with urllib.request.urlopen(URL, timeout=WAIT_S) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SetupError(f"cannot fetch {URL}: {error}. It is needed for the time to accuracy alone.") from error


def unpack(archive: bytes, folder: Path) -> None:
    """Writes the images of the binary version's archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:

        def read(name: str) -> bytes:
            file = files.extractfile(f"{INSIDE}/{name}")
            assert file, f"{name} is a file"
            return file.read()

        classes = read("batches.meta.txt").decode().split()
        for part, names in PARTS.items():
            for name in classes:
                (folder / part / name).mkdir(parents=True)
            records = b"".join(read(name) for name in names)
            for number in range(len(records) // RECORD):
                record = records[RECORD * number : RECORD * (number + 1)]
                image = folder / part / classes[record[0]] / f"{number:05}.png"
                image.write_bytes(png(interleaved(record[1:]), SIDE, CHANNELS))
    (folder / "SOURCE.md").write_text(SOURCE)


def interleaved(planes: bytes) -> bytes:
    """Red, green and blue of each pixel side by side, from a plane of each."""
    pixels = bytearray(len(planes))
    for channel in range(CHANNELS):
        pixels[channel::CHANNELS] = planes[PLANE * channel : PLANE * (channel + 1)]
    return bytes(pixels)
