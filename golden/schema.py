"""The JSON Schema of a description: ``python -m golden.schema > docs/description.schema.json``."""

from __future__ import annotations

import json

from golden.description import Description

__all__ = ["json_schema"]


def json_schema() -> str:
    """JSON Schema (draft 2020-12) of ``NAME.json``, as text; what a schema cannot say, docs/description.md does."""
    schema = Description.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
