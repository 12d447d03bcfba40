"""`zeroskip run`: the golden model on a batch of inputs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

import golden
from zeroskip.arrays import load_images
from zeroskip.console import JsonOption, print_json, progress_console
from zeroskip.errors import InputError

__all__ = ["run"]

_BATCH = 64


def run(
    description: Annotated[Path, typer.Argument(metavar="DESC", help="Model description (JSON).")],
    input_file: Annotated[Path, typer.Option("--input", help="Inputs: .npy, integers (N, C, H, W).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Outputs: .npy, or .npz with every layer's.")],
    as_json: JsonOption = False,
) -> None:
    """Run the golden model; its integers define what the hardware computes."""
    network = golden.load(description)
    images = load_images(input_file, network)
    every_layer = output.suffix == ".npz"
    if not every_layer and len(network.outputs) != 1:
        raise InputError(f"--output {output}: the network has {len(network.outputs)} outputs; give a .npz file.")
    parts = list(_batches(network, images, every_layer))
    results = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _write(output, results if every_layer else {network.outputs[0]: results[network.outputs[0]]})
    shapes = {name: list(values.shape) for name, values in results.items()}
    if as_json:
        print_json({"network": network.name, "images": len(images), "output": str(output), "shapes": shapes})
    else:
        typer.echo(f"{output}: {len(images)} images, {', '.join(f'{name} {shape}' for name, shape in shapes.items())}")


def _batches(network: golden.Network, images: NDArray[Any], every_layer: bool) -> Iterator[dict[str, NDArray[Any]]]:
    starts = range(0, len(images), _BATCH)
    console = progress_console()
    for start in track(starts, network.name, console=console, disable=not console.is_terminal, transient=True):
        yield dict(golden.run(network, images[start : start + _BATCH], keep="all" if every_layer else "outputs"))


def _write(output: Path, results: dict[str, NDArray[Any]]) -> None:
    """Writes beside the target first, so that a failure leaves no half file."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        if output.suffix == ".npz":
            np.savez(file, **results)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
        else:
            np.save(file, next(iter(results.values())), allow_pickle=False)
    os.replace(temporary, output)
