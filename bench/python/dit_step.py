"""Times training steps of TinyDiT in PyTorch; tells them, and the most memory that was held, as JSON.

plain: a straight eager loop: attention written out, AdamW and the average parameter by parameter, the loss read each step.
best: scaled-dot-product attention, fused AdamW, the average by foreach, autocast.
compile: the same through torch.compile."""

import json
import resource
import sys
import time
from contextlib import nullcontext

import torch
from dit import TINYDIT, DiT, groups, loss_of

style, precision, device = sys.argv[1:4]
batch, side, threads, warm_up, steps = (int(argument) for argument in sys.argv[4:])

torch.manual_seed(0)
torch.set_num_threads(threads)
on_gpu = device == "cuda"
if on_gpu:
    torch.set_float32_matmul_precision("highest")
model = DiT(**TINYDIT, classes=10, style="plain" if style == "plain" else "best").to(device)
average = DiT(**TINYDIT, classes=10, style="best").to(device).requires_grad_(False)
average.load_state_dict(model.state_dict())
followed = [(a, p) for a, p in zip(average.parameters(), model.parameters()) if p.requires_grad]
averages, parameters = [a for a, _ in followed], [p.detach() for _, p in followed]
if style == "plain":
    optimizer = torch.optim.AdamW(groups(model, 0.01), lr=1e-4, betas=(0.9, 0.95), foreach=False)
else:
    optimizer = torch.optim.AdamW(groups(model, 0.01), lr=1e-4, betas=(0.9, 0.95), fused=True)
learner = model
if style == "compile":
    learner = torch.compile(model, mode="max-autotune" if on_gpu else None)
images = torch.rand(batch, 3, side, side, device=device) * 2 - 1
labels = torch.arange(batch, device=device) % 10


def step() -> None:
    noise = torch.randn_like(images)
    times = torch.rand(batch, device=device)
    autocast = torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext()
    with autocast:
        loss = loss_of(learner, images, noise, times, labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if style == "plain":
        with torch.no_grad():
            for mean, parameter in followed:
                mean.mul_(0.999).add_(parameter, alpha=0.001)
    else:
        torch._foreach_lerp_(averages, parameters, 0.001)
    loss.item()


times = []
for number in range(warm_up + steps):
    began = time.perf_counter()
    step()
    if number >= warm_up:
        times.append(time.perf_counter() - began)
held = torch.cuda.max_memory_reserved() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"torch": torch.__version__, "seconds": times, "bytes": held}))
