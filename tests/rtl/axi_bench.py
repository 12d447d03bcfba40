"""The cocotb side of tests/rtl/test_axi.py: cocotbext-axi's masters and memories around all kernels at once."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

_POLLS = 20_000


def _pauses(seed: str, share: float) -> Iterator[bool]:
    draw = random.Random(seed)
    while True:
        yield draw.random() < share


class Kernel:
    """One kernel with its memory; all its ports see the same bytes."""

    def __init__(self, bench: Any, top: str, job: dict[str, Any], share: float, seed: str) -> None:
        self._job, self._bench, self._top = job, bench, top
        image = bytearray.fromhex(job["image"])
        self._rams = []
        for bundle in job["bundles"]:
            bus = AxiBus.from_prefix(bench, f"{top}_m_axi_{bundle}")
            ram = AxiRam(bus, bench.ap_clk, bench.ap_rst_n, reset_active_level=False, size=len(image))
            if self._rams:
                ram.mem = ram.write_if.mem = ram.read_if.mem = self._rams[0].mem
            self._rams.append(ram)
            write, read = ram.write_if, ram.read_if
            channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
            if share:
                for number, channel in enumerate(channels):
                    channel.set_pause_generator(_pauses(f"{seed} {top} {bundle} {number}", share))
        self._rams[0].write(0, bytes(image))
        self._size = len(image)
        self._hosts = {}
        for bundle in job["control"]:
            lite = AxiLiteBus.from_prefix(bench, f"{top}_s_axi_{bundle}")
            self._hosts[bundle] = AxiLiteMaster(lite, bench.ap_clk, bench.ap_rst_n, reset_active_level=False)
        if not job["control"]:
            self._wire("ap_start").value = 0

    def _wire(self, name: str) -> Any:
        return getattr(self._bench, f"{self._top}_{name}")

    async def _by_registers(self, run: dict[str, Any]) -> list[list[int]]:
        for bundle, offset, value, size in run["inputs"]:
            await self._hosts[bundle].write(offset, value.to_bytes(size, "little"))
        control = self._hosts[self._job["control"][0]]
        await control.write(0, b"\1\0\0\0")
        for _ in range(_POLLS):
            status = (await control.read(0, 4)).data[0]
            if status & 2:
                break
        else:
            raise TimeoutError(f"{self._top} is not done")
        assert status & 4, "idle when done"
        results = []
        for bundle, offset, size in run["outputs"]:
            word = await self._hosts[bundle].read(offset, size + 4)
            results.append([int.from_bytes(word.data[:size], "little"), word.data[size] & 1])
        return results

    async def _by_wires(self, run: dict[str, Any]) -> list[list[int]]:
        for name, value in run["inputs"]:
            self._wire(name).value = value
        self._wire("ap_start").value = 1
        for _ in range(_POLLS):
            await RisingEdge(self._bench.ap_clk)
            if self._wire("ap_done").value:
                break
            assert not self._wire("ap_idle").value
        else:
            raise TimeoutError(f"{self._top} is not done")
        results = [[int(self._wire(name).value), int(self._wire(f"{name}_ap_vld").value)] for name in run["outputs"]]
        self._wire("ap_start").value = 0
        await ClockCycles(self._bench.ap_clk, 2)
        assert self._wire("ap_idle").value
        return results

    async def run(self) -> list[dict[str, Any]]:
        """All runs, one after another: per run its clocks, its results and the memory behind it."""
        done = []
        for run in self._job["runs"]:
            results = await (self._by_registers(run) if self._job["control"] else self._by_wires(run))
            clocks = int(getattr(self._bench, f"{self._top}_clocks").value)
            image = bytes(self._rams[0].read(0, self._size)).hex()
            done.append({"clocks": clocks, "results": results, "image": image})
        return done


@cocotb.test()
async def axi_kernels(bench: Any) -> None:
    """Runs what the job says and writes what came of it."""
    job = json.loads(Path(os.environ["ZEROSKIP_JOB"]).read_text())
    cocotb.start_soon(Clock(bench.ap_clk, 10, unit="ns").start())
    bench.latency.value = job["latency"]
    bench.ap_rst_n.value = 0
    kernels = {
        top: Kernel(bench, top, kernel, job["pauses"], str(job["seed"])) for top, kernel in job["kernels"].items()
    }
    await ClockCycles(bench.ap_clk, 10)
    bench.ap_rst_n.value = 1
    await RisingEdge(bench.ap_clk)
    tasks = {top: cocotb.start_soon(kernel.run()) for top, kernel in kernels.items()}
    result = {top: await task for top, task in tasks.items()}
    Path(os.environ["ZEROSKIP_RESULT"]).write_text(json.dumps(result))
