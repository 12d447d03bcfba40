"""`zeroskip explore`: many configurations of the engines on a board, and which of them none beats."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import golden
from generator.boards import load_board
from generator.estimates import check_sizes
from generator.exploration import FC_PES, FC_SLOTS, PES, TILES, Exploration, Outcome, Point, Sweep, pareto, points
from generator.search import Sizes, candidates
from generator.workload import workload
from testbench.regress import write_file
from zeroskip.commands.compress_report import REPORT_EXTRA, report_missing
from zeroskip.console import JsonOption, print_json, print_table, progress_console
from zeroskip.errors import InputError
from zeroskip.explore_page import page, plot
from zeroskip.exploring import Job, open_folder, run_points

__all__ = ["explore"]

INTERRUPTED_EXIT_CODE = 130


def explore(
    description: Annotated[Path, typer.Argument(metavar="DESC", help="Model description (JSON).")],
    board: Annotated[str, typer.Option(help="Board name, or a board file (.json).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for outcomes and reports.")],
    clock: Annotated[str | None, typer.Option(metavar="MHZ,..", help="Clocks; the board's by default.")] = None,
    pes: Annotated[str | None, typer.Option(metavar="N,..", help=f"PEs; {','.join(map(str, PES))}.")] = None,
    tile: Annotated[
        str | None, typer.Option(metavar="N,..", help=f"Multipliers of a PE; {','.join(map(str, TILES))}.")
    ] = None,
    fc_pes: Annotated[str | None, typer.Option(metavar="N,..", help=f"FC PEs; {','.join(map(str, FC_PES))}.")] = None,
    fc_slots: Annotated[
        str | None,
        typer.Option(metavar="N,..", help=f"Slots of the streamed FC engine; {','.join(map(str, FC_SLOTS))}."),
    ] = None,
    map_lanes: Annotated[
        str | None, typer.Option(metavar="N,..", help="Lanes of the map engine; the best for each by default.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core by default.")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask cluster's scheduler.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Sweep the engines' sizes and clocks on a board; what is done and unchanged is not computed again.

    FC layers run on FC PEs or in slots; with only one of the two lists given, the other is left out.
    """
    network, chosen = golden.load(description), load_board(board)
    clocks = _numbers("--clock", clock, (chosen.clock_mhz,))
    sweep = Sweep(
        pes=_whole("--pes", pes, PES),
        tile=_whole("--tile", tile, TILES),
        fc_pes=_whole("--fc-pes", fc_pes, () if fc_slots else FC_PES),
        fc_slots=_whole("--fc-slots", fc_slots, () if fc_pes else FC_SLOTS),
        map_lanes=_whole("--map-lanes", map_lanes, ()) or [None],
    )
    work = workload(network)
    wanted, outcomes = points(work, chosen, clocks, sweep)
    if not wanted:
        candidates(work, chosen, clocks[0], Sizes())  # says what is short when nothing fits at all
        raise InputError(f"the network fits board '{chosen.name}', but in none of the configurations asked for.")
    open_folder(output)
    job = Job.of(description, board, chosen, output)
    found = {point: job.kept(point) for point in wanted}
    done = [outcome for outcome in found.values() if outcome is not None]
    missing = [point for point in wanted if found[point] is None]
    interrupted = _run(job, missing, done, workers, scheduler)
    fitting = sorted([*done, *outcomes], key=lambda each: -each.fps)
    result = Exploration(
        network=network.name, board=chosen.name, outcomes=tuple(fitting),
        pareto=tuple(each.point for each in pareto(fitting)), missing=len(wanted) - len(done),
    )  # fmt: skip
    _write(output, result)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _print(result, output, len(wanted) - len(missing))
    if interrupted:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)


def _numbers(option: str, text: str | None, default: Sequence[float]) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")] if text is not None else list(default)
    except ValueError:
        raise InputError(f"{option}: '{text}' is no list of numbers; write them as 1,2,4.") from None
    if wrong := [number for number in numbers if not 0 < number < 10_000]:
        raise InputError(f"{option}: must be positive and below 10,000, not {wrong[0]:g}.")
    return list(dict.fromkeys(numbers))


def _whole(option: str, text: str | None, default: Sequence[int]) -> list[int]:
    numbers = _numbers(option, text, default)
    if wrong := [number for number in numbers if number % 1]:
        raise InputError(f"{option}: must be whole numbers, not {wrong[0]:g}.")
    for number in numbers:
        size: dict[str, Any] = {option.removeprefix("--").replace("-", "_"): int(number)}
        check_sizes(Sizes(**size))
    return [int(number) for number in numbers]


def _run(job: Job, missing: Sequence[Point], done: list[Outcome], workers: int | None, scheduler: str | None) -> bool:
    """Adds the missing points' outcomes to `done`, the while showing how many there are; whether it was interrupted."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = progress_console()
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("exploring", total=len(missing) + len(done), completed=len(done))

        def ended(outcome: Outcome) -> None:
            done.append(outcome)
            progress.update(task, advance=1, description=f"{outcome.point.name}: {outcome.status}")

        try:
            run_points(job, missing, workers, scheduler, ended)
        except KeyboardInterrupt:
            return True
    return False


def _write(output: Path, result: Exploration) -> None:
    drawn = None
    if not report_missing() and any(outcome.status == "fits" for outcome in result.outcomes):
        drawn = plot(result)
        write_file(output / "pareto.svg", drawn)
    write_file(output / "pareto.html", page(result, drawn))
    write_file(output / "results.json", json.dumps(result.model_dump(mode="json"), indent=1) + "\n")


def _print(result: Exploration, output: Path, kept: int) -> None:
    columns = ["PEs", "tile", "FC", "map lanes", "MHz", "fps", "utilisation %", "DSP", "memory Kbit", "LUT"]
    rows: list[list[object]] = []
    for each in result.outcomes:
        if each.point in result.pareto and each.resources is not None:
            p, r = each.point, each.resources
            fc = f"{p.fc_slots} slots" if p.fc_slots else f"{p.fc_pes} PEs" if p.fc_pes else ""
            sizes = [p.pes, p.tile, fc, each.map_lanes or "", p.clock_mhz]
            rows.append([*sizes, each.fps, 100 * each.utilisation, r.dsps, each.memory_kbit, r.luts])
    title = f"{result.network} on {result.board}: configurations that none beats in fps, DSP, memory and LUT at once"
    print_table(title, columns, rows)
    fitting = sum(each.status == "fits" for each in result.outcomes)
    typer.echo(f"{fitting} of {len(result.outcomes)} configurations fit; {kept} were kept.")
    if report_missing():
        typer.echo(f"for a plot: {REPORT_EXTRA}")
    typer.echo(f"{output / 'pareto.html'}")
    if result.missing:
        typer.echo(f"interrupted; the same command makes the {result.missing} that are missing.")
