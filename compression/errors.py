"""What can be wrong with the input of a compression; importable without PyTorch."""

__all__ = ["CompressionError"]


class CompressionError(ValueError):
    """Wrong input (a checkpoint, data, settings, a layer that is not supported); the message is one sentence."""
