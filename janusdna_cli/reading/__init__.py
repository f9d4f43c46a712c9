"""Windows at positions: what to read, in which chunks, by which model; where an output comes from."""
