"""The process and its machine: ranks, signals, memory, progress."""
