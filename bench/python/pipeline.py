"""Times epochs over a folder of images through torchvision's transforms and a DataLoader; tells them as JSON.

`pipeline.py FOLDER WORKERS BATCH SIDE EPOCHS`; one more epoch goes before those that are timed.
"""

import json
import sys
import time

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

folder = sys.argv[1]
workers, batch, side, epochs = (int(argument) for argument in sys.argv[2:])


def loader() -> DataLoader:
    """Everything that torchvision's own training script does to an image, with a part of half the area or more."""
    changes = [
        transforms.RandomResizedCrop(side, scale=(0.5, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    images = datasets.ImageFolder(f"{folder}/train", transforms.Compose(changes))
    return DataLoader(
        images, batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True, prefetch_factor=4
    )


def main() -> None:
    """Workers compute on one thread each, as PyTorch has them."""
    torch.set_num_threads(1)
    batches = loader()
    times = []
    for epoch in range(epochs + 1):
        began = time.perf_counter()
        for images, _ in batches:
            assert images.shape == (batch, 3, side, side)
        if epoch > 0:
            times.append(time.perf_counter() - began)
    print(json.dumps({"torch": torch.__version__, "seconds": times}))


if __name__ == "__main__":
    main()
