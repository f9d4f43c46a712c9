"""Sequences with labels, from whichever format they come in."""
