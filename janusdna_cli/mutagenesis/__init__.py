"""Every change of a region's bases, scored."""
