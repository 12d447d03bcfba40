"""The papers' networks as graphs of shapes. A `Widths` narrows them: (stage, channels) -> channels."""

from __future__ import annotations

from collections.abc import Callable

from zoo.synthetic.shapes import Graph

__all__ = [
    "Architecture",
    "Widths",
    "alexnet",
    "mobilenetv2",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "unchanged",
    "vgg13bn",
    "vgg16",
    "vgg16bn",
]

Widths = Callable[[int, int], int]
Architecture = Callable[[Widths], Graph]
_CIFAR = (3, 32, 32)
_IMAGENET = (3, 224, 224)


def unchanged(stage: int, channels: int) -> int:
    """The widths of the network as published."""
    del stage
    return channels


def alexnet(widths: Widths = unchanged, lrn: bool = True) -> Graph:
    """Krizhevsky, Sutskever, Hinton (NIPS 2012) as Caffe's bvlc_alexnet has it: two groups in conv2, conv4 and conv5,
    227x227 pixels, normalisation before the pooling of conv1 and conv2 (`lrn`), 3x3 windows every second pixel."""
    graph = Graph("alexnet" if lrn else "alexnet-without-lrn", (3, 227, 227))
    graph.conv("conv1", widths(0, 96), 11, stride=4, padding=0)
    if lrn:
        graph.lrn("norm1")
    graph.pool("pool1", "max", 3, 2)
    graph.conv("conv2", widths(1, 256), 5, groups=2)
    if lrn:
        graph.lrn("norm2")
    graph.pool("pool2", "max", 3, 2)
    graph.conv("conv3", widths(2, 384), 3)
    graph.conv("conv4", widths(2, 384), 3, groups=2)
    graph.conv("conv5", widths(2, 256), 3, groups=2)
    graph.pool("pool5", "max", 3, 2)
    graph.flatten("flatten")
    graph.linear("fc6", widths(3, 4096))
    graph.linear("fc7", widths(3, 4096))
    graph.linear("fc8", 1000, "none")
    return graph


def _vgg_stages(graph: Graph, counts: tuple[int, ...], widths: Widths) -> None:
    """Stages of so many 3x3 convolutions, a 2x2 maximum behind each."""
    number = 0
    for stage, (count, base) in enumerate(zip(counts, (64, 128, 256, 512, 512), strict=True)):
        for _ in range(count):
            number += 1
            graph.conv(f"conv{number}", widths(stage, base), 3)
        graph.pool(f"pool{stage + 1}", "max", 2, 2)
    graph.flatten("flatten")


def vgg16(widths: Widths = unchanged) -> Graph:
    """Configuration D of Simonyan, Zisserman (ICLR 2015), 224x224 pixels."""
    graph = Graph("vgg16", _IMAGENET)
    _vgg_stages(graph, (2, 2, 3, 3, 3), widths)
    graph.linear("fc6", widths(5, 4096))
    graph.linear("fc7", widths(5, 4096))
    graph.linear("fc8", 1000, "none")
    return graph


def _cifar_vgg(name: str, counts: tuple[int, ...], widths: Widths) -> Graph:
    graph = Graph(name, _CIFAR)
    _vgg_stages(graph, counts, widths)
    graph.linear("fc", 10, "none")
    return graph


def vgg13bn(widths: Widths = unchanged) -> Graph:
    """Configuration B of Simonyan, Zisserman with normalisation, one linear layer, 32x32 pixels."""
    return _cifar_vgg("vgg13bn", (2, 2, 2, 2, 2), widths)


def vgg16bn(widths: Widths = unchanged) -> Graph:
    """Configuration D of Simonyan, Zisserman with normalisation, one linear layer, 32x32 pixels."""
    return _cifar_vgg("vgg16bn", (2, 2, 3, 3, 3), widths)


def _residual_block(graph: Graph, name: str, width: int, stride: int, expansion: int) -> None:
    """He et al.'s block: two 3x3 convolutions (`expansion` 1), or 1x1, 3x3, 1x1; a 1x1 shortcut where shapes change.

    The stride stands in the first 3x3 convolution.
    """
    source, outputs = graph.last, width * expansion
    if expansion == 1:
        graph.conv(f"{name}_conv1", width, 3, stride=stride)
        main = graph.conv(f"{name}_conv2", outputs, 3, activation="none")
    else:
        graph.conv(f"{name}_conv1", width, 1)
        graph.conv(f"{name}_conv2", width, 3, stride=stride)
        main = graph.conv(f"{name}_conv3", outputs, 1, activation="none")
    shortcut = source
    if stride != 1 or graph.shapes[source][0] != outputs:
        shortcut = graph.conv(f"{name}_shortcut", outputs, 1, stride=stride, source=source, activation="none")
    graph.add(f"{name}_sum", main, shortcut)


def _residual_stages(graph: Graph, counts: tuple[int, ...], base: int, expansion: int, widths: Widths) -> None:
    for stage, count in enumerate(counts):
        for number in range(count):
            stride = 2 if stage and not number else 1
            name = f"stage{stage + 1}_block{number + 1}"
            _residual_block(graph, name, widths(stage, base << stage), stride, expansion)
    graph.global_pool("pool")
    graph.flatten("flatten")


def resnet50(widths: Widths = unchanged) -> Graph:
    """He, Zhang, Ren, Sun (CVPR 2016), table 1, 224x224 pixels, strides in the 3x3 convolutions."""
    graph = Graph("resnet50", _IMAGENET)
    graph.conv("conv", widths(0, 64), 7, stride=2)
    graph.pool("pool1", "max", 3, 2, 1)
    _residual_stages(graph, (3, 4, 6, 3), 64, 4, widths)
    graph.linear("fc", 1000, "none")
    return graph


def _cifar_resnet(name: str, counts: tuple[int, ...], base: int, expansion: int, classes: int, widths: Widths) -> Graph:
    graph = Graph(name, _CIFAR)
    graph.conv("conv", widths(0, base), 3)
    _residual_stages(graph, counts, base, expansion, widths)
    graph.linear("fc", classes, "none")
    return graph


def resnet56(widths: Widths = unchanged) -> Graph:
    """He et al., section 4.2, n = 9; shortcuts that change the shape are 1x1 convolutions (option B)."""
    return _cifar_resnet("resnet56", (9, 9, 9), 16, 1, 10, widths)


def resnet110(widths: Widths = unchanged) -> Graph:
    """As :func:`resnet56` with n = 18."""
    return _cifar_resnet("resnet110", (18, 18, 18), 16, 1, 10, widths)


def resnet101(widths: Widths = unchanged) -> Graph:
    """He et al., table 1, for CIFAR-100: a 3x3 convolution with stride 1 for the 7x7 one and its pooling."""
    return _cifar_resnet("resnet101", (3, 4, 23, 3), 64, 4, 100, widths)


_INVERTED = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _inverted_block(graph: Graph, name: str, expansion: int, outputs: int, stride: int) -> None:
    source = graph.last
    inputs = graph.shapes[source][0]
    width = inputs * expansion
    if expansion != 1:
        graph.conv(f"{name}_expand", width, 1, activation="relu6")
    graph.conv(f"{name}_depthwise", width, 3, stride=stride, groups=width, activation="relu6")
    main = graph.conv(f"{name}_project", outputs, 1, activation="none")
    if stride == 1 and inputs == outputs:
        graph.add(f"{name}_sum", main, source, activation="none")


def mobilenetv2(widths: Widths = unchanged) -> Graph:
    """Sandler et al. (CVPR 2018), table 2, for 32x32 pixels: the first convolution has stride 1."""
    graph = Graph("mobilenetv2", _CIFAR)
    graph.conv("conv", widths(0, 32), 3, activation="relu6")
    for stage, (expansion, base, count, stride) in enumerate(_INVERTED):
        for number in range(count):
            name = f"stage{stage + 1}_block{number + 1}"
            _inverted_block(graph, name, expansion, widths(stage, base), 1 if number else stride)
    graph.conv("head", widths(len(_INVERTED), 1280), 1, activation="relu6")
    graph.global_pool("pool")
    graph.flatten("flatten")
    graph.linear("fc", 10, "none")
    return graph
