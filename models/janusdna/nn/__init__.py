"""The network, one concept a file.

Leaf modules take flat sizes; only `model` reads the configuration. Legend for all docstrings:
B batch, T tokens, d hidden size, d_in channels of the Mamba mixer, N states, H heads, E experts,
n targets.
"""
