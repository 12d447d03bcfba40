"""Descriptions in files: ``NAME.json`` and the safetensors payload beside it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import ValidationError

from golden.description import FORMAT_NAME, FORMAT_VERSION, Description, Payload
from golden.errors import DescriptionError
from golden.names import check_name
from golden.network import Network
from golden.validation import as_description_error

__all__ = ["load", "save"]

_LARGEST_JSON = 1 << 26  # bytes
_LARGEST_PAYLOAD = 1 << 32  # bytes


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write ``path`` (a ``.json`` file) and the payload beside it (same stem, ``.safetensors``).

    Both files are written under temporary names and renamed, the payload first; equal networks give equal bytes.

    Raises:
        DescriptionError: ``path`` does not end in ``.json`` or its stem is no legal name.
        OSError: the folder cannot be written.
    """
    target = Path(path)
    if target.suffix != ".json":
        raise DescriptionError("must end in .json", file=str(target))
    try:
        check_name(target.stem, "file name")
    except DescriptionError as error:
        raise error.in_file(str(target)) from None
    payload = safetensors.numpy.save({name: network.tensors[name] for name in sorted(network.tensors)})
    file = f"{target.stem}.safetensors"
    stored = network.description.model_copy(
        update={"payload": Payload(file=file, sha256=hashlib.sha256(payload).hexdigest())}
    )
    _replace(target.with_name(file), payload)
    _replace(target, _readable(stored).encode())


def _replace(target: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as temporary:
        try:
            temporary.write(content)
            temporary.flush()
            os.chmod(temporary.name, 0o644)
            os.replace(temporary.name, target)
        except BaseException:
            os.unlink(temporary.name)
            raise


def _readable(description: Description) -> str:
    """Indented JSON with lists of scalars, and small objects of them, on one line."""
    text = json.dumps(description.model_dump(mode="json", exclude_none=True), indent=2)
    for pattern in (r"\[\n[^\[\]{}]*\]", r"\{\n[^\[\]{}]{0,160}\}"):
        text = re.sub(pattern, lambda found: re.sub(r"\s*\n\s*", " ", found.group()), text)
    return re.sub(r"\[ ([^\[\]{}]*) \]", r"[\1]", text) + "\n"


def load(path: str | os.PathLike[str]) -> Network:
    """Read and check a description whole.

    Args:
        path: the ``.json`` file.

    Raises:
        DescriptionError: anything is wrong, down to the payload's hash; names file, layer and field.
        OSError: the JSON file cannot be read.
    """
    target = Path(path)
    try:
        description = _parse(_read(target, _LARGEST_JSON))
        return Network.assemble(description, _payload(target, description))
    except DescriptionError as error:
        raise (error if error.file else error.in_file(str(target))) from None


def _read(file: Path, largest: int) -> bytes:
    if file.stat().st_size > largest:
        raise DescriptionError(f"is larger than {largest} bytes", file=str(file))
    return file.read_bytes()


def _refuse_constant(name: str) -> float:
    raise DescriptionError(f"holds the number {name}; every number must be a finite integer")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DescriptionError("stands twice in one object", layer=_layer_name(result), field=twice)
    return result


def _layer_name(value: object) -> str | None:
    name = value.get("name") if isinstance(value, Mapping) and "type" in value else None
    return name if isinstance(name, str) else None


def _parse(content: bytes) -> Description:
    try:
        text = content.decode("utf-8")
        raw = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_distinct)
    except DescriptionError:
        raise
    except (ValueError, RecursionError) as error:
        raise DescriptionError(f"is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise DescriptionError("is not a description: its JSON is no object")
    if raw.get("format") != FORMAT_NAME:
        raise DescriptionError(f"is {raw.get('format')!r}, but must be {FORMAT_NAME!r}", field="format")
    if type(raw.get("version")) is not int or raw["version"] != FORMAT_VERSION:
        raise DescriptionError(
            f"is {raw.get('version')!r}, but this program reads version {FORMAT_VERSION}", field="version"
        )
    try:
        return Description.model_validate_json(text)
    except ValidationError as error:
        raise as_description_error(error, raw) from None


def _payload(target: Path, description: Description) -> Mapping[str, NDArray[Any]]:
    payload = description.payload
    if payload is None:
        raise DescriptionError("is missing; it names the safetensors file and its sha256", field="payload")
    if payload.file in (".", "..") or re.search(r"[/\\\x00]", payload.file):
        raise DescriptionError(f"{payload.file!r} is not a plain file name", field="payload.file")
    file = target.with_name(payload.file)
    if not file.is_file():
        raise DescriptionError(f"{payload.file!r} does not lie beside the description", field="payload.file")
    content = _read(file, _LARGEST_PAYLOAD)
    digest = hashlib.sha256(content).hexdigest()
    if digest != payload.sha256:
        raise DescriptionError(f"is {payload.sha256}, but {payload.file!r} hashes to {digest}", field="payload.sha256")
    try:
        return safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise DescriptionError(f"{payload.file!r} is not a safetensors file: {error}", field="payload.file") from None
