"""Takes the steps that a file describes, in PyTorch, and tells their losses as JSON."""

import json
import sys

import torch
from dit import DiT, groups, loss_of

DTYPES = {"F32": torch.float32, "I64": torch.int64}


def load_file(path: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file: the length of its header, the header as JSON, the bytes."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            values = torch.frombuffer(data[start:end], dtype=DTYPES[entry["dtype"]])
            tensors[name] = values.view(entry["shape"])
    return tensors


path, threads = sys.argv[1], int(sys.argv[2])
shape = json.loads(sys.argv[3])
rates = json.loads(sys.argv[4])
torch.set_num_threads(threads)

saved = load_file(path)
classes = saved["model.y_embedder.embedding_table.weight"].shape[0] - 1
model = DiT(**shape, classes=classes, style="best")
model.load_state_dict({name[6:]: tensor for name, tensor in saved.items() if name.startswith("model.")})
optimizer = torch.optim.AdamW(groups(model, 0.01), betas=(0.9, 0.95))

losses = []
for step, rate in enumerate(rates):
    for group in optimizer.param_groups:
        group["lr"] = rate
    drawn = [saved[f"{name}.{step}"] for name in ("images", "noise", "times", "labels")]
    loss = loss_of(model, *drawn)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())
print(json.dumps({"losses": losses}))
