"""Variants to scores."""
