"""A teacher: a trained network whose scores retraining compares with.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015), section 2.
"""

import torch
from torch import nn

from compression.settings import Precision

__all__ = ["TEMPERATURE", "Teacher", "distance"]

TEMPERATURE = 4.0
"""By which scores are divided before they are compared with a teacher's."""

_BATCH = 256


class Teacher:
    """Gives its scores of training images; each image's only once, if it always looks the same.

    Args:
        model: takes float pixels 0..255 (N, C, H, W), gives one score a class; it is put into evaluation.
        pixels: uint8 (N, C, H, W), the training images.
        augmented: whether training sees them changed, each time otherwise.
        precision: what the model is computed in.
    """

    def __init__(
        self, model: nn.Module, pixels: torch.Tensor, augmented: bool, precision: Precision = "float32"
    ) -> None:
        self.model = model.eval()
        self._pixels, self._augmented, self._precision = pixels, augmented, precision
        self._kept: torch.Tensor | None = None

    def scores(self, pixels: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """float32 (N, classes).

        Args:
            pixels: float (N, C, H, W), as training sees them, on the model's device.
            numbers: int64 (N,), which training images they are.
        """
        if self._augmented:
            return self._scores(pixels)
        if self._kept is None:
            parts = (self._pixels[first : first + _BATCH] for first in range(0, len(self._pixels), _BATCH))
            self._kept = torch.cat([self._scores(part.to(pixels.device).float()) for part in parts])
        return self._kept[numbers.to(self._kept.device)]

    @torch.no_grad()
    def _scores(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            scores: torch.Tensor = self.model(pixels).float()
        return scores


def distance(scores: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """How far scores (N, classes) are from a teacher's, both softened: the mean KL divergence, scaled so that gradients
    do not shrink with the temperature."""
    softened, target = (nn.functional.log_softmax(each / TEMPERATURE, 1) for each in (scores, wanted))
    return TEMPERATURE**2 * nn.functional.kl_div(softened, target, reduction="batchmean", log_target=True)
