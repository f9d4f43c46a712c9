"""A run's work in units: shared out, kept as it is done, put together at its end."""
