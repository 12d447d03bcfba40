"""The main job once, on a trained network and real images: description, accuracy, hardware, proof, figures.

    python -m examples.demo                          LeNet-5 on Fashion-MNIST
    python -m examples.demo cifar10_cnn              the CIFAR-10 network (fetches its images, about 160 MB)

Everything is also written to BUILD/reports/demo.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import golden
from zoo.data import Images, cifar10, fashion_mnist_sample

__all__ = ["main"]

_ROOT = Path(__file__).parents[1]
_CSIM_IMAGES = {"lenet5_fashion": 100, "cifar10_cnn": 4}
_RTL_IMAGES = {"lenet5_fashion": 10, "cifar10_cnn": 1}


def _images(network: str) -> Images:
    if network == "lenet5_fashion":
        return fashion_mnist_sample()
    test = cifar10("test")
    return Images(test.pixels[:1000], test.labels[:1000])


def _command(*arguments: str) -> None:
    """Runs a zeroskip command as a user would; a failing one ends the demonstration with its exit code."""
    print(f"\n$ zeroskip {' '.join(arguments)}", flush=True)
    run = subprocess.run([sys.executable, "-m", "zeroskip", *arguments])
    if run.returncode:
        sys.exit(run.returncode)


def _accuracy(description: Path, images: Images) -> dict[str, int]:
    network = golden.load(description)
    scores = golden.run(network, images.pixels)[network.outputs[0]]
    correct = int((scores.reshape(len(scores), -1).argmax(axis=1) == images.labels).sum())
    print(f"golden: {correct} of {len(scores)} images right ({100 * correct / len(scores):.1f} %)")
    return {"correct": correct, "images": len(scores)}


def main() -> int:
    """Runs the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(description="From a trained network's description to proven hardware.")
    parser.add_argument("network", nargs="?", default="lenet5_fashion", choices=sorted(_CSIM_IMAGES))
    name = parser.parse_args().network
    start = time.perf_counter()
    description = _ROOT / "zoo" / "descriptions" / f"{name}.json"
    build = _ROOT / "build" / name
    build.parent.mkdir(exist_ok=True)
    images = _images(name)
    _command("inspect", str(description))
    accuracy = _accuracy(description, images)
    stimuli = build.parent / f"{name}_images.npy"
    np.save(stimuli, images.pixels[: _CSIM_IMAGES[name]])
    _command("generate", str(description), "--board", "zcu104", "--images", str(stimuli), "-o", str(build))
    _command("verify", str(build), "--rtl-images", str(_RTL_IMAGES[name]))
    _command("report", str(build))
    reports = build / "reports"
    document = {"network": name, "accuracy": accuracy}
    document |= {part: json.loads((reports / f"{part}.json").read_text()) for part in ("verify", "report")}
    (reports / "demo.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"\n{time.perf_counter() - start:.0f} s; all figures: {(reports / 'demo.json').relative_to(_ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
