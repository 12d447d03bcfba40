"""What every refusal is: an error with its file and line, and no output."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import CompileError, compile_cpp

__all__ = ["check_refused"]


def check_refused(text: str, line: int, message: str, folder: Path) -> None:
    """Compiles `text` in the empty `folder`, and looks for `line` and a part of the `message`."""
    source = folder / "design.cpp"
    source.write_text(text)
    with pytest.raises(CompileError) as caught:
        compile_cpp(source, "top", [], folder / "out")
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(source), line)
    assert sorted(path.name for path in folder.iterdir()) == ["design.cpp"]
