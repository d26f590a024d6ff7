"""Writes JPEGs of 500x375 whose detail falls off with frequency as that of photographs does (Field, 1987): COUNT in
train/, and one of each class in val/. Tells how many bytes each has. `photos.py FOLDER COUNT`."""

import sys
from pathlib import Path

import numpy
from PIL import Image

WIDTH, HEIGHT = 500, 375
CLASSES = 2
# Files as large as those of ImageNet and of Oxford-IIIT Pet are on average, 110 kB.
QUALITY = 88


def photo(random: numpy.random.Generator) -> Image.Image:
    """Noise with amplitudes of 1/f, the channels alike in most of it."""
    down, across = numpy.meshgrid(numpy.fft.fftfreq(HEIGHT), numpy.fft.rfftfreq(WIDTH), indexing="ij")
    frequency = numpy.maximum(numpy.hypot(down, across), 1 / WIDTH)

    def field() -> numpy.ndarray:
        spectrum = numpy.exp(2j * numpy.pi * random.random(frequency.shape)) / frequency
        values = numpy.fft.irfft2(spectrum, (HEIGHT, WIDTH))
        return (values - values.mean()) / values.std()

    light = field()
    channels = [128 + 50 * light + 15 * field() for _ in range(3)]
    return Image.fromarray(numpy.stack(channels, axis=-1).clip(0, 255).astype(numpy.uint8))


folder, count = Path(sys.argv[1]), int(sys.argv[2])
random = numpy.random.default_rng(0)
size = 0
for number in range(count + CLASSES):
    part = "train" if number < count else "val"
    path = folder / part / f"class-{number % CLASSES}" / f"{number:04}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(random).save(path, quality=QUALITY)
    size += path.stat().st_size
print(size // (count + CLASSES))
