"""Saves ResNet-18 and its AdamW state with torch.save, as a training script does; tells the times as JSON."""

import json
import os
import sys
import time

import torch
from resnet import resnet18

path, rounds = sys.argv[1], int(sys.argv[2])
model = resnet18(classes=1000)
optimizer = torch.optim.AdamW(model.parameters())
for parameter in model.parameters():
    parameter.grad = torch.zeros_like(parameter)
optimizer.step()

saves, synced = [], []
for _ in range(rounds):
    began = time.perf_counter()
    with open(path, "wb") as file:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.flush()
        saves.append(time.perf_counter() - began)
        os.fsync(file.fileno())
    synced.append(time.perf_counter() - began)

print(json.dumps({"bytes": os.path.getsize(path), "save_seconds": saves, "synced_seconds": synced}))
