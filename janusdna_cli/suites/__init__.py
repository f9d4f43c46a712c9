"""The paper's benchmarks: their files, protocols and published numbers, and their tables by a command."""
