"""The lowest rungs: the description, golden against independent software, the build's vectors against golden."""

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

import golden
from golden.onnx_check import compare_with_onnxruntime
from testbench.build import Build, BuildLayer, StreamLayout
from testbench.difference import Difference
from testbench.ladder.rung import Context, Outcome
from testbench.weight_stream import WeightStreamReader

__all__ = ["DescriptionRung", "OnnxRung", "VectorsRung", "WeightStreamRung"]


class DescriptionRung:
    """The description inside the build is valid, and every layer of the build is a layer of it."""

    name = "description"

    def check(self, context: Context) -> Outcome:
        """Loads and checks the description; compares tensor names and shapes with the build's."""
        try:
            network = context.network
        except golden.DescriptionError as error:
            return Outcome(False, str(error))
        for layer, layout in context.build.maps():
            shape = network.shapes.get(layout.tensor)
            if shape is None:
                return Outcome(
                    False, f"layer {layer.name} of the build names tensor {layout.tensor}, which is not there"
                )
            if not layout.fits(shape):
                stated = (layout.map_channels, layout.map_height, layout.width)
                return Outcome(False, f"tensor {layout.tensor} has shape {shape}, the build's has {stated}")
        missing = _missing_rows(context.build)
        if missing:
            return Outcome(False, missing)
        kept = network.nonzero_count / max(network.weight_count, 1)
        detail = f"{len(network.layers)} layers, {network.weight_count:,} weights, {100 * kept:.1f} % not zero"
        return Outcome(True, detail, {"layers": len(network.layers), "weights": network.weight_count})


def _missing_rows(build: Build) -> str:
    """What rows of a layer's output channels no run makes, or more than one; runs of a layer follow each other."""
    for (name, _, tensor), runs in groupby(build.layers, lambda run: (run.name, run.engine, run.output.tensor)):
        rows: dict[int, int] = {}
        for output in (run.output for run in runs):
            for channel in output.channel_order:
                row = rows.get(channel, 0)
                if output.first_row != row:
                    return f"layer {name}: rows of {tensor} come from {output.first_row} on, where row {row} is next"
                rows[channel] = row + output.height
        for channel in range(output.map_channels):
            if rows.get(channel, 0) != output.map_height:
                return (
                    f"layer {name}: {rows.get(channel, 0)} rows of channel {channel} of {tensor} come, it has "
                    f"{output.map_height}"
                )
    return ""


class WeightStreamRung:
    """The weight stream, read back by the bench's own decoder, holds the description's weights, biases included."""

    name = "weight stream == description"

    def check(self, context: Context) -> Outcome:
        """Every weight of every layer."""
        reader = WeightStreamReader(context.build)
        entries: dict[str, int] = {}
        for part in reader.layers:
            name = part.layer.name
            layer = context.network.layer(name)
            if part.layer.engine == "map":
                wrong_table = _wrong_table(context, name, reader.table(part))
                if wrong_table is not None:
                    return wrong_table
                continue
            weights = context.network.weights(name)
            try:
                got = reader.dense(
                    part,
                    weights.shape,
                    getattr(layer, "groups", 1),
                    getattr(layer, "padding", (0, 0))[:2],
                    getattr(layer, "dilation", (1, 1)),
                )
            except IndexError as error:
                return Outcome(False, f"layer {name}: its stored weights do not lie in its shape: {error}")
            held = _held(part.layer, len(weights))
            wrong = np.argwhere(got[held] != weights[held])
            if wrong.size:
                place = (held[int(wrong[0][0])], *(int(number) for number in wrong[0][1:]))
                return Outcome(False, f"layer {name}, weight {place}: expected {weights[place]}, got {got[place]}")
            biases = context.network.bias(name)
            for output in held:
                bias, stored = int(biases[output]), reader.read(reader.bias_place(part, output))
                if stored != bias & 0xFFFFFFFF:
                    return Outcome(False, f"layer {name}, output {output}: bias {bias} is stored as {stored:#x}")
            entries[name] = int(np.count_nonzero(weights))
        total, runs = sum(entries.values()), len(reader.layers)
        return Outcome(True, f"{total:,} weights, in {runs} runs of the engines", {"weights": total})


def _held(layer: BuildLayer, outputs: int) -> list[int]:
    """The output channels, or rows, of which a run's stream holds the weights: of a group run by itself the group's."""
    return sorted(layer.output.channel_order) if layer.engine == "convolver" else list(range(outputs))


def _wrong_table(context: Context, name: str, stored: NDArray[np.int64]) -> Outcome | None:
    """What is wrong with the table of a normalisation, or of a layer that has none."""
    table = context.network.tensors.get(f"{name}.table", np.zeros(0, dtype=np.uint16)).astype(np.int64)
    expected = np.pad(table, (0, max(0, stored.size - table.size)))
    wrong = np.flatnonzero(expected[: stored.size] != stored)
    if expected.size != stored.size:
        return Outcome(False, f"layer {name}: the table has {table.size} entries, the stream {stored.size}")
    if wrong.size:
        at = int(wrong[0])
        return Outcome(False, f"layer {name}, entry {at} of the table: expected {expected[at]}, got {stored[at]}")
    return None


class OnnxRung:
    """The golden model equals onnxruntime on an independently executed model, every layer."""

    name = "golden == onnxruntime"

    def check(self, context: Context) -> Outcome:
        """Compares all images."""
        difference = compare_with_onnxruntime(context.network, context.images)
        if difference is not None:
            return Outcome(False, str(difference))
        return Outcome(True, f"{len(context.images)} images, every layer", {"images": len(context.images)})


class VectorsRung:
    """The words that the benches send and expect are golden's tensors, in the stream order that the manifest states."""

    name = "vectors == golden"

    def check(self, context: Context) -> Outcome:
        """Packs golden's tensors by the bench's own reading of the layout and compares all words."""
        build, lanes = context.build, context.build.lanes
        images, batch = context.runs, build.batch
        stored = np.fromfile(build.images_file, np.uint8).reshape(-1, build.image_words, lanes)
        if len(stored) != build.manifest.vectors.images:
            return Outcome(False, f"images.bin holds {len(stored)} images, not {build.manifest.vectors.images}")
        for image in range(images):
            start = 0
            for _, layout in build.maps():
                tensors = context.tensors[layout.tensor][image * batch : (image + 1) * batch]
                words = layout.pack_batch(tensors, lanes)
                difference = _compare(layout, image, words, stored[image, start : start + layout.words])
                if difference is not None:
                    return Outcome(False, str(difference))
                start += layout.words
        return Outcome(True, f"{images} images, {images * build.image_words:,} words", {"images": images})


def _compare(
    layout: StreamLayout, image: int, expected: NDArray[np.uint8], stored: NDArray[np.uint8]
) -> Difference | None:
    wrong = np.argwhere(expected != stored)
    if not wrong.size:
        return None
    word, lane = (int(number) for number in wrong[0])
    place = layout.place(word, lane, expected.shape[1])
    values = layout.value(int(expected[word, lane])), layout.value(int(stored[word, lane]))
    return Difference(layout.tensor, image * layout.batch + word % layout.batch, *place, *values)
