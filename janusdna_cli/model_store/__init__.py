"""The models that are here, and those that can be fetched."""
