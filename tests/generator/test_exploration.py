"""Which points are looked at, and which of their outcomes none beats."""

from generator.boards import load_board
from generator.exploration import Outcome, Point, Sweep, pareto, points
from generator.resources import Resources
from generator.workload import workload
from tests.generator.networks import alexnet_like_network, branched_network, convolver_network


def _outcome(pes: int, fps: float, dsps: int, luts: int = 1000, bram36: float = 1, uram: int = 0) -> Outcome:
    resources = Resources(luts=luts, flip_flops=0, dsps=dsps, bram36=bram36, uram=uram)
    point = Point(pes=pes, tile=16, fc_pes=1, clock_mhz=200)
    return Outcome(point=point, status="fits", fps=fps, cycles=1, resources=resources)


def test_the_front_holds_what_none_beats() -> None:
    best, cheap, beaten = _outcome(1, 100, 50), _outcome(2, 40, 20), _outcome(3, 40, 30)
    less_memory = _outcome(4, 40, 30, bram36=0.5)
    misfit = Outcome(point=beaten.point, status="does not fit", reason="DSP slices")
    front = pareto([misfit, beaten, cheap, less_memory, best])
    assert [outcome.point.pes for outcome in front] == [1, 2, 4]


def test_ultra_ram_counts_as_memory() -> None:
    assert _outcome(1, 1, 1, bram36=2, uram=3).memory_kbit == 2 * 36 + 3 * 288


def test_points_that_cannot_fit_are_told_apart_and_the_rest_is_ranked() -> None:
    sweep = Sweep(pes=(1, 64), tile=(16, 32), fc_pes=(2,), fc_slots=())
    wanted, unfit = points(workload(branched_network()), load_board("ultra96"), [100.0, 200.0], sweep)
    assert {point.pes for point in wanted} == {1} and {outcome.point.pes for outcome in unfit} == {64}
    assert all("DSP slices short" in outcome.reason for outcome in unfit)
    assert wanted[0].clock_mhz == 200.0 and len(wanted) == 4


def test_an_engine_without_work_is_not_swept() -> None:
    sweep = Sweep(pes=(1, 2), tile=(16,), fc_pes=(1, 2, 4), fc_slots=(8,), map_lanes=(1, 2))
    wanted, _ = points(workload(convolver_network()), load_board("zcu104"), [200.0], sweep)
    assert sorted((point.pes, point.fc_pes, point.fc_slots) for point in wanted) == [(1, 0, 0), (2, 0, 0)]


def test_fc_layers_run_on_pes_or_in_slots_and_maps_in_lanes() -> None:
    work, board = workload(alexnet_like_network()), load_board("zcu104")
    sweep = Sweep(pes=(2,), tile=(8, 16), fc_pes=(2,), fc_slots=(8,), map_lanes=(4, 8))
    wanted, unfit = points(work, board, [200.0], sweep)
    assert not unfit
    assert {point.name for point in wanted} == {
        f"2x{t}+{fc}+{m}m@200" for t in (8, 16) for fc in ("2", "8s") for m in (4, 8)
    }
    wanted, unfit = points(work, board, [200.0], Sweep(pes=(2,), tile=(16,), fc_pes=(2,), fc_slots=(), map_lanes=(2,)))
    assert not wanted and [outcome.status for outcome in unfit] == ["cannot run"] and "lanes" in unfit[0].reason
