"""The kernels of a CPU, and its threads."""
