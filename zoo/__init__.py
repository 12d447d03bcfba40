"""Trained networks of the project, the data they are measured on, and the scripts that make them again."""

__all__: list[str] = []
