"""Small PyTorch networks with branches, for tests of the front door."""

import torch
from torch import nn
from torch.nn import functional

from compression.quantise import InputScale

__all__ = ["Residual", "ResNetLike", "depthwise_separable", "normalised_behind_relu", "randomise", "vgg_like"]


class Residual(nn.Module):
    """Two convolutions with normalisation and a shortcut, which is strided and projected where shapes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


class ResNetLike(nn.Module):
    """A stem, two residual blocks (the second strided), a mean over the map and a linear layer."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.pixels = InputScale(8)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.layer1 = Residual(6, 6, 1)
        self.layer2 = Residual(6, 8, 2)
        self.fc = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(self.pixels(x))))
        x = self.layer2(self.layer1(x))
        x = functional.adaptive_avg_pool2d(x, 1)
        return self.fc(torch.flatten(x, 1))


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU6(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class _Separable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(InputScale(6), _separable(3, 6, 1), _separable(6, 8, 2))
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.dropout(self.features(x).mean([2, 3])))


def depthwise_separable() -> nn.Module:
    """Depthwise and pointwise convolutions with ReLU6, as MobileNet has them."""
    return _Separable()


def vgg_like() -> nn.Module:
    """Convolutions with normalisation and ReLU, pooling of both kinds, dilation and groups, two linear layers."""
    return nn.Sequential(
        InputScale(8),
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2),
        nn.BatchNorm2d(8),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(8, 4, 1),
        nn.AvgPool2d(2, 1, 1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(4 * 3 * 3, 12, bias=False),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Linear(12, 5),
    )


def normalised_behind_relu() -> nn.Module:
    """Normalisation behind every ReLU, in front of unpadded convolutions, pooling and a linear layer."""
    return nn.Sequential(
        InputScale(8),
        nn.BatchNorm2d(3),
        nn.Conv2d(3, 6, 3),
        nn.ReLU(),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 6, 3, groups=3),
        nn.ReLU(),
        nn.BatchNorm2d(6),
        nn.AvgPool2d(2),
        nn.BatchNorm2d(6),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(6 * 2 * 1, 4),
    )


def randomise(model: nn.Module, seed: int) -> nn.Module:
    """Give all parameters values of a trained network's size, by seed; the model then is in evaluation."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                module.bias.data.uniform_(-0.3, 0.3, generator=generator)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.3, 0.3),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.3, 2.0),
            ):
                assert tensor is not None
                tensor.data.uniform_(low, high, generator=generator)
    return model.eval()
