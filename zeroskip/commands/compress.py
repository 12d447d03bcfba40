"""`zeroskip compress`: a trained network to a description, pruned and quantised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import golden
from compression.settings import (
    METHODS,
    Allocation,
    Budget,
    EnSparsityScale,
    Order,
    PeakReading,
    PerChannel,
    Precision,
    Settings,
    method_name,
)
from zeroskip.commands.compress_report import REPORT_EXTRA, report_missing
from zeroskip.console import JsonOption, print_json, print_table
from zeroskip.errors import InputError

if TYPE_CHECKING:  # the modules that need PyTorch, which is optional
    from torch import nn

    from compression.compress import Compressed
    from compression.data import DataSet

__all__ = ["compress"]

_DEFAULTS = Settings(("reversed",))


@dataclass(frozen=True)
class _Trained:
    """A trained network: a checkpoint or a description, and the name of its definition."""

    file: Path
    network: str

    def load(self, data: DataSet, settings: Settings) -> nn.Module:
        """The module, on the CPU; a description's normalisations take their statistics from training images."""
        from compression.checkpoint import load_checkpoint
        from compression.described import load_described
        from compression.networks import find_network

        definition = find_network(self.network)
        if definition.input_shape != tuple(data.training.pixels.shape[1:]):
            wanted, found = (
                "x".join(map(str, each)) for each in (definition.input_shape, data.training.pixels.shape[1:])
            )
            raise InputError(f"{self.network} takes images of {wanted}, the data have {found}.")
        module = definition.build()
        if self.file.suffix == ".json":
            load_described(module, golden.load(self.file), data.training.pixels[: settings.calibration])
        else:
            load_checkpoint(module, self.file)
        return module


def compress(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Checkpoint: torch.save(model.state_dict(), ..); or a description.")
    ],
    network: Annotated[
        str, typer.Option(help="The checkpoint's network: lenet5, vgg16bn, resnet20, .., or pytorchcv:NAME.")
    ],
    data: Annotated[str, typer.Option(help="fashion-mnist, cifar-10, or a folder of .npy arrays or images.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DESC", help="Model description (JSON).")],
    method: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(METHODS)}; give it again for one that follows.")
    ] = None,
    data_folder: Annotated[Path, typer.Option(help="Where the named data sets lie.")] = Path("data"),
    keep: Annotated[list[str] | None, typer.Option(help="A layer that no method touches; again for others.")] = None,
    max_loss: Annotated[float, typer.Option(help="Accuracy that may go, percentage points.")] = _DEFAULTS.max_loss,
    factor: Annotated[float | None, typer.Option(help="Stop at so many times fewer weights.")] = None,
    epochs: Annotated[int, typer.Option(help="Retraining after each step.")] = _DEFAULTS.epochs,
    final_epochs: Annotated[int, typer.Option(help="Retraining at the end.")] = _DEFAULTS.final_epochs,
    epoch_images: Annotated[int | None, typer.Option(help="An epoch ends after so many images.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Of retraining, the highest.")] = _DEFAULTS.learning_rate,
    batch: Annotated[int, typer.Option(help="Images in a batch.")] = _DEFAULTS.batch,
    weight_decay: Annotated[float, typer.Option(help="Of retraining.")] = _DEFAULTS.weight_decay,
    smoothing: Annotated[float, typer.Option(help="Share of labels spread over all classes.")] = _DEFAULTS.smoothing,
    distillation: Annotated[float, typer.Option(help="Share of the loss against a teacher's scores.")] = (
        _DEFAULTS.distillation
    ),
    teacher: Annotated[Path | None, typer.Option(help="distillation: a better network than MODEL.")] = None,
    teacher_network: Annotated[str | None, typer.Option(help="Its network; by default --network's.")] = None,
    precision: Annotated[Precision, typer.Option(help="That retraining computes in.")] = _DEFAULTS.precision,
    shift: Annotated[int, typer.Option(help="Move training images by up to so many pixels.")] = _DEFAULTS.shift,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror training images at random.")] = _DEFAULTS.flip,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = _DEFAULTS.seed,
    held_out: Annotated[int, typer.Option(help="Training images that judge, not test images.")] = _DEFAULTS.held_out,
    calibration: Annotated[int, typer.Option(help="Images that set the features' scales.")] = _DEFAULTS.calibration,
    bias_correction: Annotated[bool, typer.Option("--bias-correction", help="Correct biases for rounding.")] = False,
    per_channel: Annotated[PerChannel, typer.Option(help="Convolutions with a scale a channel.")] = (
        _DEFAULTS.per_channel
    ),
    codebook: Annotated[int | None, typer.Option(help="Linear layers: shared values, 16 or 32.")] = None,
    codebook_epochs: Annotated[int, typer.Option(help="Training of these.")] = _DEFAULTS.codebook_epochs,
    codebook_learning_rate: Annotated[float, typer.Option(help="Of it.")] = _DEFAULTS.codebook_learning_rate,
    qat_epochs: Annotated[int, typer.Option(help="Training through integers at the end.")] = _DEFAULTS.qat_epochs,
    qat_learning_rate: Annotated[float, typer.Option(help="Of it.")] = _DEFAULTS.qat_learning_rate,
    q_step: Annotated[float, typer.Option(help="reversed: growth of q.")] = _DEFAULTS.q_step,
    order: Annotated[Order, typer.Option(help="reversed: which layer is first.")] = _DEFAULTS.order,
    budget: Annotated[Budget, typer.Option(help="reversed: loss that a layer may use.")] = _DEFAULTS.budget,
    share: Annotated[float, typer.Option(help="magnitude, peak: share that a step removes.")] = _DEFAULTS.share,
    peak_reading: Annotated[PeakReading, typer.Option(help="peak: which reading.")] = _DEFAULTS.peak_reading,
    kernel_values: Annotated[int, typer.Option(help="ikr: non-zeros of a kernel.")] = _DEFAULTS.kernel_values,
    patterns: Annotated[int, typer.Option(help="ikr: patterns of a layer.")] = _DEFAULTS.patterns,
    kernels_kept: Annotated[float, typer.Option(help="ikr: share of kernels that keep any.")] = _DEFAULTS.kernels_kept,
    pattern_group: Annotated[
        int, typer.Option(help="ikr: neighbouring output channels that share patterns.")
    ] = _DEFAULTS.pattern_group,
    penalty: Annotated[float, typer.Option(help="feature-map: empty up to this share of the rms.")] = _DEFAULTS.penalty,
    en_sparsity: Annotated[
        EnSparsityScale, typer.Option(help="feature-map: relative to the layer's fullest channel?")
    ] = (_DEFAULTS.en_sparsity),
    theta_low: Annotated[float, typer.Option(help="feature-map: least threshold.")] = _DEFAULTS.theta_low,
    theta_high: Annotated[float, typer.Option(help="feature-map: greatest threshold.")] = _DEFAULTS.theta_high,
    theta_step: Annotated[float, typer.Option(help="feature-map: interval at the end.")] = _DEFAULTS.theta_step,
    flops_cut: Annotated[float, typer.Option(help="layerwise: % of multiplications to go.")] = _DEFAULTS.flops_cut,
    allocation: Annotated[Allocation, typer.Option(help="layerwise: ratio of each layer.")] = _DEFAULTS.allocation,
    rounds: Annotated[int, typer.Option(help="layerwise: steps on the way; feature-map: passes.")] = _DEFAULTS.rounds,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Plot the run: NAME.report.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Prune, retrain and quantise a trained network; a run that was killed goes on where it stopped."""
    given = {name: value for name, value in locals().items() if name in {field.name for field in fields(Settings)}}
    given["keep"] = tuple(keep or ())  # the one setting that typer gives as a list; options are named as settings
    settings = Settings(methods=tuple(map(method_name, method or ())), **given)
    if teacher and not distillation:
        raise InputError("a teacher is of use with --distillation alone; say what share of the loss it has.")
    if teacher_network and not teacher:
        raise InputError(f"teacher-network is {teacher_network}, but there is no --teacher.")
    _need_torch()
    if report:
        _check_report(output)
    dense = _Trained(model, network)
    teaching = _Trained(teacher, teacher_network or network) if teacher else None
    result = _run(dense, teaching, data, data_folder, settings, output)
    if as_json:
        print_json(_document(output, result))
    else:
        _print(output, result)
    for note in result.notes:
        typer.echo(f"zeroskip: note: {note}.", err=True)
    if report:
        _plot(output)
    for complaint in result.complaints:
        typer.echo(f"zeroskip: {complaint}.", err=True)
    if result.complaints:
        raise typer.Exit(1)


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise InputError("compress needs PyTorch; install it with: pip install 'zeroskip[compression]'.") from None


def _check_report(output: Path) -> None:
    """Before hours of training: whether there is a place for the report."""
    if not report_missing():
        from compression.report import check_folder, report_folder

        check_folder(report_folder(output))


def _plot(output: Path) -> None:
    if report_missing():
        typer.echo(f"zeroskip: no plots, as Altair and vl-convert are missing; {REPORT_EXTRA} brings them.", err=True)
        return
    from compression.report import write_report

    typer.echo(f"zeroskip: {write_report(output)}/index.html shows the run.", err=True)


def _run(
    dense: _Trained, teaching: _Trained | None, data: str, data_folder: Path, settings: Settings, output: Path
) -> Compressed:
    import torch

    from compression.compress import compress as run
    from compression.data import load_data
    from compression.networks import find_network
    from zeroskip.compression_progress import showing_progress

    definition = find_network(dense.network)
    images = load_data(data, data_folder, definition.input_shape, definition.classes)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    module = dense.load(images, settings).to(device)
    teacher = teaching.load(images, settings).to(device) if teaching else None
    with showing_progress(settings.epochs, settings.held_out or len(images.test)) as report:
        return run(module, images, settings, output, report, teacher)


def _document(output: Path, result: Compressed) -> dict[str, object]:
    return {
        "description": str(output),
        "outcome": asdict(result.outcome),
        "factor": result.quantised.factor,
        "flops_cut": result.quantised.flops_cut,
        **{key: value for key, value in asdict(result.quantised).items() if key != "description"},
        "complaints": list(result.complaints),
        "notes": list(result.notes),
    }


def _print(output: Path, result: Compressed) -> None:
    quantised = result.quantised
    rows = [
        [name, each.weights, each.nonzero, 100 * each.nonzero / each.weights, each.macs]
        for name, each in quantised.counts.items()
    ]
    print_table(str(output), ["layer", "weights", "non-zero", "density %", "multiplications"], rows)
    for what, correct in (
        ("dense, PyTorch", quantised.dense_correct),
        ("pruned, PyTorch", quantised.float_correct),
        ("description, golden", quantised.correct),
    ):
        typer.echo(
            f"{what:<20} {correct} of {quantised.images} test images right ({100 * correct / quantised.images:.2f} %)"
        )
    typer.echo(
        f"{quantised.factor:.2f} times fewer weights; {quantised.bits / 8:,.0f} bytes with all indices, scales and "
        f"biases."
    )
    macs = sum(each.macs for each in quantised.counts.values())
    nonzero = sum(each.nonzero_macs for each in quantised.counts.values())
    typer.echo(
        f"{macs:,} multiplications an image, {quantised.flops_cut:.2f} % fewer than dense; {nonzero:,} of them by "
        f"weights that are not zero."
    )
