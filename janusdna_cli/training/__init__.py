"""Pretraining: what a genome becomes on its way to a model, and what is kept of the way."""
