"""Where a file comes from: what made it, with what, and what it holds."""
