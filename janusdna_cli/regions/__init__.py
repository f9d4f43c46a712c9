"""Regions to embeddings."""
