"""Random alleles to a background for the percentiles of scores."""
