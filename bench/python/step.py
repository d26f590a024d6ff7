"""Times training steps of ResNet-18 in PyTorch; tells them as JSON."""

import json
import resource
import sys
import time
from contextlib import nullcontext

import torch
from resnet import resnet18
from torch.nn import functional

layout, precision, device = sys.argv[1:4]
batch, side, threads, warm_up, steps = (int(argument) for argument in sys.argv[4:])
classes = 10

torch.manual_seed(0)
torch.set_num_threads(threads)
memory_format = torch.channels_last if layout.endswith("channels-last") else torch.contiguous_format
model = resnet18(classes).to(device, memory_format=memory_format)
decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
plain = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
learner = torch.compile(model, mode="max-autotune" if device == "cuda" else None) if "compile" in layout else model
images = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=memory_format)
labels = torch.arange(batch, device=device) % classes


def step() -> None:
    autocast = torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext()
    with autocast:
        logits = learner(images)
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
if device == "cuda":
    held = torch.cuda.max_memory_reserved()
else:
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"torch": torch.__version__, "seconds": times, "bytes": held}))
