"""Figures that are kept: cycles, utilisation and bits of the zoo's networks, with their expected values."""
