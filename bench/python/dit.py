"""DiT (Peebles & Xie, arXiv 2212.09748) with adaLN-Zero and its training step, in PyTorch: the twin of Rekindle's, with the
same parameter names. `style` says how it is written: "plain" as a straight loop does it, "best" as good practice has it."""

import math

import torch
from torch import nn
from torch.nn import functional

# What Rekindle's `tinydit` is made of.
TINYDIT = {"image_size": 128, "patch_size": 16, "width": 384, "depth": 12, "heads": 6}


def modulate(tokens: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return tokens * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


class Attention(nn.Module):
    """Multi-head self-attention; the plain one writes the scores out."""

    def __init__(self, width: int, heads: int, style: str) -> None:
        super().__init__()
        self.heads, self.style = heads, style
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        count, length, width = tokens.shape
        qkv = self.qkv(tokens).reshape(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        if self.style == "plain":
            scores = query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5
            attended = scores.softmax(dim=-1) @ value
        else:
            attended = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(attended.transpose(1, 2).reshape(count, length, width))


class Perceptron(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, style: str) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attn = Attention(width, heads, style)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.mlp = Perceptron(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, tokens: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        parts = self.adaLN_modulation(condition).chunk(6, dim=1)
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = parts
        tokens = tokens + gate_attn.unsqueeze(1) * self.attn(modulate(self.norm1(tokens), shift_attn, scale_attn))
        return tokens + gate_mlp.unsqueeze(1) * self.mlp(modulate(self.norm2(tokens), shift_mlp, scale_mlp))


class FinalLayer(nn.Module):
    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, tokens: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        shift, scale = self.adaLN_modulation(condition).chunk(2, dim=1)
        return self.linear(modulate(self.norm_final(tokens), shift, scale))


class PatchEmbed(nn.Module):
    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch_size, patch_size)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class TimeEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, times: torch.Tensor) -> torch.Tensor:
        frequencies = torch.exp(-math.log(10_000) * torch.arange(128, device=times.device) / 128)
        angles = (times * 1000)[:, None] * frequencies[None]
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class ClassEmbed(nn.Module):
    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, labels: torch.Tensor) -> torch.Tensor:
        return self.embedding_table(labels)


class DiT(nn.Module):
    """Images (N, 3, H, W), times (N) and labels (N) to velocities (N, 3, H, W)."""

    def __init__(
        self, image_size: int, patch_size: int, width: int, depth: int, heads: int, classes: int, style: str
    ) -> None:
        super().__init__()
        self.patch_size, self.side = patch_size, image_size // patch_size
        self.x_embedder = PatchEmbed(patch_size, width)
        self.t_embedder = TimeEmbed(width)
        self.y_embedder = ClassEmbed(classes, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, self.side**2, width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(width, heads, style) for _ in range(depth))
        self.final_layer = FinalLayer(width, patch_size**2 * 3)

    def forward(self, images: torch.Tensor, times: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        tokens = self.x_embedder(images) + self.pos_embed
        condition = self.t_embedder(times) + self.y_embedder(labels)
        for block in self.blocks:
            tokens = block(tokens, condition)
        patches = self.final_layer(tokens, condition)
        patches = patches.reshape(-1, self.side, self.side, self.patch_size, self.patch_size, 3)
        size = self.side * self.patch_size
        return torch.einsum("nhwpqc->nchpwq", patches).reshape(-1, 3, size, size)


def loss_of(
    model: nn.Module, images: torch.Tensor, noise: torch.Tensor, times: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Flow matching on straight lines: the squared error of the velocity."""
    at = times.view(-1, 1, 1, 1)
    velocity = model((1 - at) * noise + at * images, times, labels)
    return functional.mse_loss(velocity.float(), images - noise)


def groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """What decays, and what does not: biases."""
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in learned if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in learned if p.dim() <= 1], "weight_decay": 0.0},
    ]
