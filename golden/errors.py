"""The one error that bad descriptions and bad builder calls raise: a sentence that names file, layer and field."""

from __future__ import annotations

__all__ = ["DescriptionError"]


class DescriptionError(ValueError):
    """A description (or a call that builds one) is wrong.

    Args:
        message: one clause: what is wrong and what is expected.
        layer: name of the layer at fault, None for the description as a whole.
        field: name of the field at fault, None when no single one is.
        file: path of the file at fault, None when the description is not in a file yet.

    ``str(error)`` is the whole sentence; the parts stay readable as attributes.
    """

    def __init__(
        self, message: str, *, layer: str | None = None, field: str | None = None, file: str | None = None
    ) -> None:
        self.message = message
        self.layer = layer
        self.field = field
        self.file = file
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        place = [
            *([self.file] if self.file is not None else []),
            *([f"layer '{self.layer}'"] if self.layer is not None else []),
            *([f"field '{self.field}'"] if self.field is not None else []),
        ]
        return f"{', '.join(place)}: {self.message}" if place else self.message

    def in_file(self, file: str) -> DescriptionError:
        """The same error, placed in ``file``."""
        return DescriptionError(self.message, layer=self.layer, field=self.field, file=file)

    def in_layer(self, layer: str) -> DescriptionError:
        """The same error, placed in ``layer`` unless it names one already."""
        return DescriptionError(self.message, layer=self.layer or layer, field=self.field, file=self.file)
