"""Adapters to kernels that may be installed beside."""
