"""Trains ResNet-18 on a folder of images as a careful script does: torchvision's transforms, a DataLoader with a worker
for each core, fused AdamW, channels last, autocast, a validation and a checkpoint each epoch. Tells each epoch's time as
JSON. `epoch.py FOLDER PRECISION BATCH SIDE CORES EPOCHS`."""

import json
import math
import sys
import tempfile
import time
from contextlib import nullcontext

import torch
from resnet import resnet18
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

folder, precision = sys.argv[1:3]
batch, side, cores, epochs = (int(argument) for argument in sys.argv[3:])


def loader(part: str, changes: list, training: bool) -> DataLoader:
    """The images of a part of the folder."""
    normal = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    images = datasets.ImageFolder(f"{folder}/{part}", transforms.Compose(changes + normal))
    return DataLoader(
        images, batch, shuffle=training, drop_last=training, num_workers=cores, persistent_workers=True
    )


def main() -> None:
    """Trains."""
    torch.manual_seed(0)
    torch.set_num_threads(cores)
    crop = [transforms.RandomResizedCrop(side, scale=(0.5, 1.0)), transforms.RandomHorizontalFlip()]
    train = loader("train", crop, training=True)
    test = loader("test", [transforms.Resize(side), transforms.CenterCrop(side)], training=False)
    model = resnet18(len(train.dataset.classes)).to(memory_format=torch.channels_last)
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    plain = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
    steps = epochs * len(train)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    autocast = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()

    def logits_of(images: torch.Tensor) -> torch.Tensor:
        with autocast:
            return model(images.to(memory_format=torch.channels_last)).float()

    times = []
    for _ in range(epochs):
        began = time.perf_counter()
        model.train()
        for images, labels in train:
            loss = functional.cross_entropy(logits_of(images), labels, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        correct = 0
        with torch.no_grad():
            for images, labels in test:
                correct += (logits_of(images).argmax(1) == labels).sum()
        with tempfile.TemporaryFile() as file:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        times.append(time.perf_counter() - began)
    print(json.dumps({"torch": torch.__version__, "seconds": times, "correct": int(correct)}))


if __name__ == "__main__":
    main()
