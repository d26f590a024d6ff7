"""Saves ResNet-18 and its AdamW state with torch.save, as a training script does; tells the times as JSON."""

import json
import os
import sys
import time

import torch
from resnet import resnet18

prefix, rounds = sys.argv[1], int(sys.argv[2])
model = resnet18(classes=1000)
optimizer = torch.optim.AdamW(model.parameters())
for parameter in model.parameters():
    parameter.grad = torch.zeros_like(parameter)
optimizer.step()

saves, synced = [], []
for number in range(rounds):
    # A new file each time, as a history needs.
    path = f"{prefix}-{number}.pt"
    began = time.perf_counter()
    with open(path, "wb") as file:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.flush()
        saves.append(time.perf_counter() - began)
        os.fsync(file.fileno())
    synced.append(time.perf_counter() - began)
    size = os.path.getsize(path)
    os.remove(path)

print(json.dumps({"bytes": size, "save_seconds": saves, "synced_seconds": synced}))
