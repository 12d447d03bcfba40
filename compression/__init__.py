"""Pruning and quantisation of trained networks into compressed model descriptions; needs PyTorch."""

__all__: list[str] = []
