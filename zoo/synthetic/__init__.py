"""Descriptions of the papers' networks in their full size: exact shapes, synthetic weights, no accuracy."""

from zoo.synthetic.catalogue import NETWORKS, SyntheticError, Variant, find_variant
from zoo.synthetic.describe import describe
from zoo.synthetic.shapes import Graph, Weighted

__all__ = ["NETWORKS", "Graph", "SyntheticError", "Variant", "Weighted", "describe", "find_variant"]
