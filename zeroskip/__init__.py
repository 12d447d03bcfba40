"""The public face of the project: the ``zeroskip`` command. Holds no logic of its own."""

__all__: list[str] = []
