"""Trains ResNet-18 on a folder of images as a careful script does: torchvision's transforms, a DataLoader with a worker
for each core, fused AdamW, channels last, autocast, a validation and a checkpoint each epoch. The recipe is that of
Rekindle's classifier by default. Ends early once the accuracy on the images held out is at least TARGET. Tells each
epoch's time and accuracy as JSON. `train.py FOLDER PRECISION DEVICE STEM AUGMENT BATCH SIDE CORES EPOCHS TARGET`."""

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

folder, precision, device, stem, augment = sys.argv[1:6]
batch, side, cores, epochs = (int(argument) for argument in sys.argv[6:10])
target = float(sys.argv[10])

AUGMENT = {
    "light": [transforms.Resize((side, side)), transforms.RandomCrop(side, side // 8, padding_mode="edge")],
    "medium": [transforms.RandomResizedCrop(side, scale=(0.5, 1.0)), transforms.RandomHorizontalFlip()],
}


def loader(part: str, changes: list, training: bool) -> DataLoader:
    """The images of a part of the folder."""
    normal = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    images = datasets.ImageFolder(f"{folder}/{part}", transforms.Compose(changes + normal))
    return DataLoader(
        images,
        batch,
        shuffle=training,
        drop_last=training,
        num_workers=cores,
        persistent_workers=True,
        pin_memory=device == "cuda",
    )


def main() -> None:
    """Trains."""
    torch.manual_seed(0)
    torch.set_num_threads(cores)
    torch.backends.cudnn.benchmark = True
    train = loader("train", AUGMENT[augment], training=True)
    test = loader("test", [transforms.Resize(side), transforms.CenterCrop(side)], training=False)
    model = resnet18(len(train.dataset.classes), stem).to(device, memory_format=torch.channels_last)
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    plain = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
    warm_up, decay = len(train), max((epochs - 1) * len(train), 1)

    def rate(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return (1 + math.cos(math.pi * min((step - warm_up) / decay, 1))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    autocast = torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext()

    def logits_of(images: torch.Tensor) -> torch.Tensor:
        with autocast:
            images = images.to(device, non_blocking=True, memory_format=torch.channels_last)
            return model(images).float()

    times, accuracies = [], []
    for _ in range(epochs):
        began = time.perf_counter()
        model.train()
        for images, labels in train:
            labels = labels.to(device, non_blocking=True)
            loss = functional.cross_entropy(logits_of(images), labels, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        correct = torch.zeros((), dtype=torch.int64, device=device)
        with torch.no_grad():
            for images, labels in test:
                correct += (logits_of(images).argmax(1) == labels.to(device, non_blocking=True)).sum()
        accuracies.append(int(correct) / len(test.dataset))
        with tempfile.TemporaryFile() as file:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        times.append(time.perf_counter() - began)
        if target <= accuracies[-1]:
            break
    print(json.dumps({"torch": torch.__version__, "seconds": times, "accuracies": accuracies}))


if __name__ == "__main__":
    main()
