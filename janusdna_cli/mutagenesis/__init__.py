"""Every substitution of a region, scored."""
