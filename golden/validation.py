"""Turns pydantic's report into the one sentence of a :class:`golden.DescriptionError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from golden.errors import DescriptionError

__all__ = ["as_description_error"]

# What pydantic puts into a location beside field names and positions: the tag of the union member it tried.
_TAGS = frozenset(
    [
        "conv",
        "linear",
        "max_pool",
        "average_pool",
        "global_average_pool",
        "add",
        "clip",
        "flatten",
        "concat",
        "lrn",
        "conv-rc",
        "conv-mask",
        "conv-pattern",
        "csc",
        "dense",
        "constrained-int",
        "int",
        "Scale",
    ]
)


def _field(location: Sequence[int | str]) -> str:
    return ".".join(
        str(part)
        for part in location
        if isinstance(part, int) or (part not in _TAGS and not any(mark in part for mark in "[(,"))
    )


def _named(raw: Mapping[str, Any], position: int | str) -> str:
    layers = raw.get("layers")
    layer = layers[position] if isinstance(layers, list) and isinstance(position, int) else None
    name = layer.get("name") if isinstance(layer, dict) else None
    return name if isinstance(name, str) and name else f"number {position}"


def as_description_error(error: ValidationError, raw: Mapping[str, Any]) -> DescriptionError:
    """The first complaint of ``error`` as one sentence.

    Args:
        error: from validating a description, or one layer of it.
        raw: what was validated, as plain dicts and lists; gives the layer its name.
    """
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    location = list(first["loc"])
    layer = None
    if location[:1] == ["layers"] and len(location) > 1:
        layer, location = _named(raw, location[1]), location[2:]
    message = str(first["msg"])
    if first["type"] == "extra_forbidden":
        message = "is no field of this format"
    elif first["type"] == "missing":
        message = "is missing"
    else:
        message = message[:1].lower() + message[1:]
    return DescriptionError(message, layer=layer, field=_field(location) or ("type" if layer else None))
