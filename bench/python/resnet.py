"""ResNet-18 (He et al., arXiv 1512.03385) as torchvision builds it."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        around = features if self.downsample is None else self.downsample(features)
        features = functional.relu(self.bn1(self.conv1(features)), inplace=True)
        features = self.bn2(self.conv2(features))
        return functional.relu(features.add_(around), inplace=True)


def resnet18(classes: int, stem: str = "imagenet") -> nn.Sequential:
    """The network; with the stem `small`, as it is built for images of some 32 pixels."""
    first = nn.Conv2d(3, 64, 3, 1, 1, bias=False) if stem == "small" else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    begin = [first, nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    if stem != "small":
        begin.append(nn.MaxPool2d(3, 2, 1))
    blocks, channels_in = [], 64
    for stage, channels in enumerate((64, 128, 256, 512)):
        for number in range(2):
            blocks.append(Block(channels_in, channels, 2 if stage and not number else 1))
            channels_in = channels
    return nn.Sequential(*begin, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
