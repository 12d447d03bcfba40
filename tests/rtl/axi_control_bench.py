"""The cocotb side of the test of start and interrupt registers: each kernel adds 0 + 1 + ... + n - 1 to its sum."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

_CONTROL, _GIER, _IER, _ISR = 0x00, 0x04, 0x08, 0x0C
_START, _DONE, _IDLE, _CONTINUE, _RESTART, _INTERRUPT = 1, 2, 4, 0x10, 0x80, 0x200
_N, _SUM = 0x10, 0x18
_LONG = 60  # clocks that are more than enough for a short run


class _Kernel:
    def __init__(self, bench: Any, top: str) -> None:
        self._bench, self._top = bench, top
        clock, reset = bench.ap_clk, bench.ap_rst_n
        hosts = [AxiLiteBus.from_prefix(bench, f"{top}_s_axi_{bundle}") for bundle in ("control", "data")]
        self.control, self.data = (AxiLiteMaster(bus, clock, reset, reset_active_level=False) for bus in hosts)

    def interrupt(self) -> int:
        return int(getattr(self._bench, f"{self._top}_ap_interrupt").value)

    async def run(self, n: int) -> None:
        """Starts a run, and waits longer than it takes."""
        await self.data.write_dword(_N, n)
        await self.control.write_dword(_CONTROL, _START)
        await ClockCycles(self._bench.ap_clk, _LONG)

    async def sum(self) -> int:
        return int(await self.data.read_dword(_SUM))

    async def status(self) -> int:
        return int(await self.control.read_dword(_CONTROL))


async def _interrupts(kernel: _Kernel) -> None:
    await kernel.run(4)
    assert await kernel.sum() == 6 and await kernel.control.read_dword(_ISR) == 0, "nothing is enabled"
    assert await kernel.status() & (_DONE | _IDLE | _INTERRUPT) == _DONE | _IDLE
    assert not await kernel.status() & _DONE, "reading clears it"
    await kernel.control.write_dword(_IER, 1)
    await kernel.run(2)
    assert await kernel.control.read_dword(_ISR) == 1 and not kernel.interrupt(), "the enable of all is off"
    await kernel.control.write_dword(_GIER, 1)
    assert kernel.interrupt() and await kernel.status() & _INTERRUPT
    await kernel.control.write_dword(_ISR, 1)
    assert not kernel.interrupt() and await kernel.control.read_dword(_ISR) == 0, "writing 1 takes it back"
    await kernel.control.write_dword(_IER, 2)
    await kernel.run(1)
    assert kernel.interrupt() and await kernel.control.read_dword(_ISR) == 2, "ready"
    await kernel.control.write_dword(_ISR, 2)
    assert not kernel.interrupt() and await kernel.sum() == 7


async def _auto_restart(kernel: _Kernel, clock: Any) -> None:
    before = await kernel.sum()
    await kernel.data.write_dword(_N, 3)
    await kernel.control.write_dword(_CONTROL, _START | _RESTART)
    await ClockCycles(clock, 4 * _LONG)
    assert await kernel.status() & (_RESTART | _START) == _RESTART | _START
    await kernel.control.write_dword(_CONTROL, 0)
    await ClockCycles(clock, _LONG)
    after = await kernel.sum()
    assert (after - before) % 3 == 0 and after - before > 3 * 10, "it ran again and again"
    await ClockCycles(clock, _LONG)
    assert await kernel.sum() == after and await kernel.status() & (_IDLE | _RESTART | _START) == _IDLE


async def _chain(kernel: _Kernel, clock: Any) -> None:
    await kernel.run(4)
    assert await kernel.status() & _DONE and await kernel.sum() == 6
    await kernel.run(5)
    assert await kernel.sum() == 6 and await kernel.status() & _START, "the next run waits for ap_continue"
    await kernel.control.write_dword(_CONTROL, _CONTINUE)
    await ClockCycles(clock, _LONG)
    assert await kernel.sum() == 16 and await kernel.status() & _DONE
    await kernel.control.write_dword(_CONTROL, _CONTINUE)
    await kernel.run(2)
    assert await kernel.sum() == 17


async def _wires(bench: Any) -> None:
    async def until_done() -> None:
        for _ in range(_LONG):
            await RisingEdge(bench.ap_clk)
            if bench.wired_ap_done.value:
                return
        raise TimeoutError("not done")

    bench.wired_n.value = 3
    bench.wired_ap_start.value = 1
    await until_done()
    assert int(bench.wired_sum.value) == 3 and bench.wired_sum_ap_vld.value and bench.wired_ap_ready.value
    for _ in range(20):
        await RisingEdge(bench.ap_clk)
        assert bench.wired_ap_done.value and not bench.wired_ap_ready.value, "done is held, and the start waits"
    bench.wired_ap_continue.value = 1
    await RisingEdge(bench.ap_clk)
    await RisingEdge(bench.ap_clk)
    assert not bench.wired_ap_done.value
    await until_done()
    bench.wired_ap_start.value = 0
    assert int(bench.wired_sum.value) == 6
    await RisingEdge(bench.ap_clk)
    assert not bench.wired_ap_done.value, "for one clock, as ap_continue is high"


@cocotb.test()
async def start_registers(bench: Any) -> None:
    """Checks the three kernels of the test, one after another."""
    cocotb.start_soon(Clock(bench.ap_clk, 10, unit="ns").start())
    bench.ap_rst_n.value = 0
    for name in ("start", "continue"):
        getattr(bench, f"wired_ap_{name}").value = 0
    plain, chained = _Kernel(bench, "plain"), _Kernel(bench, "chained")
    await ClockCycles(bench.ap_clk, 10)
    bench.ap_rst_n.value = 1
    await RisingEdge(bench.ap_clk)
    await _interrupts(plain)
    await _auto_restart(plain, bench.ap_clk)
    await _chain(chained, bench.ap_clk)
    await _wires(bench)
    result = {"plain": "checked", "chained": "checked", "wired": "checked"}
    Path(os.environ["ZEROSKIP_RESULT"]).write_text(json.dumps(result))
