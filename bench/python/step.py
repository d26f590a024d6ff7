"""Times training steps of ResNet-18 in PyTorch; tells them as JSON."""

import json
import sys
import time
from contextlib import nullcontext

import torch
from resnet import resnet18
from torch.nn import functional

precision, layout, device = sys.argv[1], sys.argv[2], sys.argv[3]
batch, side, classes, threads, warm_up, steps = (int(argument) for argument in sys.argv[4:])

torch.manual_seed(0)
torch.set_num_threads(threads)
memory_format = torch.channels_last if layout == "channels-last" else torch.contiguous_format
model = resnet18(classes).to(device, memory_format=memory_format)
decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
plain = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
images = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=memory_format)
labels = torch.arange(batch, device=device) % classes


def step() -> None:
    autocast = torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext()
    with autocast:
        logits = model(images)
    loss = functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    loss.item()


times = []
for number in range(warm_up + steps):
    began = time.perf_counter()
    step()
    if number >= warm_up:
        times.append(time.perf_counter() - began)
print(json.dumps({"torch": torch.__version__, "seconds": times}))
