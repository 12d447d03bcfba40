"""LLVM's passes in their own process: what they make is taken, and a fault of LLVM does not end this one."""

from pathlib import Path

import pytest

from rtl import CompileError, passes
from rtl.passes import PassError, optimised
from tests.rtl.simulation import Program, compile_programs

IR = "define i32 @f(i32 %x) {\n  %y = add i32 %x, 1\n  %z = sub i32 %y, 1\n  ret i32 %z\n}\n"
SOURCE = "void top(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) { out.write(in.read()); }"


def _breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str) -> None:
    """Passes that end their process as an assertion does, under a condition."""
    script = tmp_path / "passes.py"
    head = f"import os, sys\nif {condition}:\n    os.abort()\n"
    script.write_text(head + Path(passes.__file__).read_text())
    monkeypatch.setattr(passes, "__file__", str(script))


def test_the_passes_simplify() -> None:
    assert "ret i32 %x" in optimised(IR) and "sub" not in optimised(IR)


def test_text_that_is_no_ir_is_told() -> None:
    with pytest.raises(PassError, match="expected top-level entity"):
        optimised("nonsense")


def test_where_llvm_breaks_it_is_asked_for_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = optimised(IR)
    _breaking(tmp_path, monkeypatch, "'new_gvn' not in sys.argv")
    assert optimised(IR) == expected


def test_where_it_breaks_again_the_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _breaking(tmp_path, monkeypatch, "True")
    with pytest.raises(CompileError, match="LLVM breaks on the marked IR"):
        compile_programs([Program("top", SOURCE, {})], tmp_path)
