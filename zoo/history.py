"""What a zoo network's script measured, stage by stage, kept as JSON beside the description."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["DESCRIPTIONS", "History", "Stage"]

DESCRIPTIONS = Path(__file__).resolve().parent / "descriptions"


@dataclass(frozen=True)
class Stage:
    """The network after one stage.

    Attributes:
        name: what was done.
        evaluated_by: "PyTorch" for floating point, "golden" for the integer network.
        correct: test images classified correctly.
        images: test images tried.
        weights: weights of all layers, biases apart.
        nonzero: those that are not zero.
    """

    name: str
    evaluated_by: str
    correct: int
    images: int
    weights: int
    nonzero: int

    @property
    def accuracy(self) -> float:
        """Per cent of the test images."""
        return 100 * self.correct / self.images

    @property
    def factor(self) -> float:
        """How many times fewer weights there are than in the dense network."""
        return self.weights / self.nonzero

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.correct} of {self.images} test images ({self.accuracy:.2f} %), "
            f"{self.nonzero} of {self.weights} weights ({self.factor:.2f} times fewer), by {self.evaluated_by}"
        )


@dataclass
class History:
    """The stages of one network, and its integer accuracy on a few images that a test can afford.

    Attributes:
        network: name of the network and of its description.
        stages: in the order in which they were run; the last is the description's.
        sample_correct: correct ones among the first ``sample_images`` test images, by golden.
        sample_images: how many that is.
    """

    network: str
    stages: list[Stage] = field(default_factory=list)
    sample_correct: int = 0
    sample_images: int = 0

    def add(self, stage: Stage) -> None:
        """Append a stage and print it."""
        self.stages.append(stage)
        print(stage, flush=True)

    def save(self, folder: Path = DESCRIPTIONS) -> None:
        """Write ``folder/NETWORK.history.json``."""
        path = folder / f"{self.network}.history.json"
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, network: str, folder: Path = DESCRIPTIONS) -> "History":
        """Read ``folder/NETWORK.history.json``."""
        fields = json.loads((folder / f"{network}.history.json").read_text())
        fields["stages"] = [Stage(**stage) for stage in fields["stages"]]
        return cls(**fields)
