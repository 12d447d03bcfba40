"""Equal kernels by `rtl/` and by independent tools, set side by side: see :mod:`benchmarks.peers.__main__`."""
