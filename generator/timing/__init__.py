"""The cycle model: traces of every process for a sequence of layers, simulated clock by clock.

Each function here states, in the kernel's own terms, what one process of `hls_templates/zeroskip` does in each of its
steps. Steps follow docs/rtl.md: the code before a loop is one step, every iteration of a loop is one, and what comes
after a loop belongs to the step of its last iteration. Nothing is estimated: the figures equal the compiled hardware's.

The host (`weights_source`, `sender`, `receiver`) is modelled as the benches drive the ports: weights of all layers
queue on weights_in; a layer's first feature word is on offer in the clock after the last output of the layer before;
requests for columns are answered at once, or as a :class:`Ddr` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.architecture import Architecture, process_network
from generator.dataflow import SimulationResult, simulation
from generator.schedule import ConvolverSchedule, FcSchedule, FcStreamSchedule, MapSchedule, Schedule
from generator.timing.convolver import convolver, idle_convolver
from generator.timing.fc import fc_engine, idle_fc_engine
from generator.timing.fc_stream import (
    Ddr,
    Slots,
    data_mover,
    distinct_slots,
    fc_stream,
    idle_fc_stream,
    sums_written_after,
)
from generator.timing.maps import idle_map_engine, map_engine, split
from generator.timing.traces import Traces, route

__all__ = ["Ddr", "Prediction", "predict", "predict_each"]


@dataclass(frozen=True)
class Prediction:
    """Cycles of one image through all layers, nothing stalling.

    Attributes:
        layer_cycles: per layer, from the clock after the layer before (or the first word on weights_in) up to and
            including the clock of its last output word.
        high_water: per stream, the most words it holds at once.
        accumulated: per FC layer (by name), the clocks until the last of its PEs has done its last entry, counted as
            `layer_cycles`: all but handing over, adding up and sending the sums. Of the streamed engine none.
        fetched_words: per layer, column words that the streamed FC engine asks for.
    """

    layer_cycles: tuple[int, ...]
    high_water: Mapping[str, int]
    accumulated: Mapping[str, int] = field(default_factory=dict)
    fetched_words: tuple[int, ...] = ()

    @property
    def cycles(self) -> int:
        """Cycles of the whole image."""
        return sum(self.layer_cycles)


def predict(
    architecture: Architecture,
    schedules: Sequence[Schedule],
    activations: Mapping[str, npt.NDArray[np.int64]],
    stages: Mapping[str, tuple[int, int]] | None = None,
    features_wait: int = 0,
    ddr: Ddr | None = None,
) -> Prediction:
    """Cycles of one image, or batch, through `schedules`, layer after layer.

    Args:
        activations: per FC layer (by name) its input as it comes on the stream, filling included: int [words * lanes].
            Only which of them are zero matters.
        stages: per stream where pipelined processes write and read it, as :func:`generator.dataflow.simulate` takes it;
            and what else a manifest's `stream_stages` says.
        features_wait: clocks that the host lets pass before it offers the first layer's first feature word; with enough
            of them the layer's weights lie in the PEs by then. They count.
        ddr: what answers requests for columns; by default a memory that does so at once, a word a clock.

    Raises:
        DeadlockError: the stream depths are too small for the network to finish.
    """
    return predict_each(architecture, schedules, activations, stages, [ddr or Ddr()], features_wait)[0]


def predict_each(
    architecture: Architecture,
    schedules: Sequence[Schedule],
    activations: Mapping[str, npt.NDArray[np.int64]],
    stages: Mapping[str, tuple[int, int]] | None,
    memories: Sequence[Ddr],
    features_wait: int = 0,
) -> list[Prediction]:
    """What :func:`predict` gives behind each of several memories; the processes' traces are the same."""
    network = process_network(architecture)
    depths, fifos = network.depths(), network.fifo_names()
    clocks_to_write = sums_written_after(stages or {})
    stages = {name: stages[fifo] for name, fifo in fifos.items() if fifo in stages} if stages else {}
    slots, alike = distinct_slots(architecture, stages)
    traces = Traces(architecture)
    sender, receiver, sent = traces.of("sender"), traces.of("receiver"), 0
    sender.step(times=features_wait)
    counts: list[npt.NDArray[np.int64]] = []
    for schedule in schedules:
        words_in = schedule.feature_words(architecture.lanes)
        words_out = schedule.output.words(architecture.lanes)
        sender.step(["layer_done"] if sent else [], ["features_in"])
        sender.step(writes=["features_in"], times=words_in - 1)
        receiver.step(["features_out"], times=words_out - 1)
        receiver.step(["features_out"], ["layer_done"])
        traces.mark("receiver")
        sent += layouts.DESCRIPTOR_WORDS + len(schedule.rounds.words)
        counts.append(_engines(traces, schedule, activations, slots, clocks_to_write))
    traces.of("weights_source").step(writes=["weights_in"], times=sent)
    hosts = {"layer_done": 1, "in_flight": 1 << 20}
    simulations = []
    for memory in memories:
        everything = traces.copy()
        mover = data_mover(everything, np.concatenate(counts), memory) if architecture.fc_slots else {}
        simulations.append(simulation(list(everything.traces.values()), depths | hosts, traces.marks, stages | mover))
    with ThreadPoolExecutor(len(memories)) as threads:
        results = list(threads.map(lambda run: run(), simulations))
    finished = [result.finished["receiver"] + 1 for result in results]
    return [
        Prediction(
            tuple(int(c) for c in np.diff(np.r_[0, ends])),
            {fifo: result.high_water[_resolved(name, alike)] for name, fifo in fifos.items()},
            _accumulated(schedules, result, ends),
            tuple(int(each.sum()) for each in counts),
        )
        for result, ends in zip(results, finished, strict=True)
    ]


def _resolved(name: str, alike: Mapping[str, str]) -> str:
    """The stream that stands for this one in the simulation."""
    while alike.get(name, name) != name:
        name = alike[name]
    return name


def _engines(
    traces: Traces,
    schedule: Schedule,
    activations: Mapping[str, npt.NDArray[np.int64]],
    slots: Slots,
    clocks_to_write: int,
) -> npt.NDArray[np.int64]:
    """One layer in all processes: in its engine's, in the idle engines', and in those around them.

    Returns:
        Words of each request for columns: int64 [requests].
    """
    counts = np.zeros(0, dtype=np.int64)
    a = traces.architecture
    on_map = isinstance(schedule, MapSchedule)
    engine = "map" if on_map else "convolver" if isinstance(schedule, ConvolverSchedule) else "fc"
    if traces.split:
        split(traces, schedule, engine if on_map else a.others)
    if traces.both:
        route(traces, None) if on_map else route(traces, schedule, engine)
    if isinstance(schedule, ConvolverSchedule):
        convolver(traces, schedule)
    elif a.pes:
        idle_convolver(traces)
    if isinstance(schedule, FcSchedule):
        fc_engine(traces, schedule, activations[schedule.layer.name])
    elif isinstance(schedule, FcStreamSchedule):
        counts = fc_stream(traces, schedule, activations[schedule.layer.name], slots, clocks_to_write)
    elif a.fc_slots:
        idle_fc_stream(traces, slots, clocks_to_write)
    elif a.fc_pes:
        idle_fc_engine(traces)
    if isinstance(schedule, MapSchedule):
        map_engine(traces, schedule)
    elif a.map_columns:
        idle_map_engine(traces)
    return counts


def _accumulated(
    schedules: Sequence[Schedule], result: SimulationResult, finished: npt.NDArray[np.int64]
) -> dict[str, int]:
    """See :class:`Prediction`; `finished` is the clock behind the last one of each layer."""
    begins = [
        int(begin) for begin, each in zip(np.r_[0, finished], schedules, strict=False) if isinstance(each, FcSchedule)
    ]
    names = [each.layer.name for each in schedules if isinstance(each, FcSchedule)]
    done = [clocks + 1 for process, clocks in result.finished.items() if process.startswith("fc_mac")]
    ends = np.max(done, axis=0) if done else []
    return {name: int(end) - begin for name, begin, end in zip(names, begins, ends, strict=True)}
