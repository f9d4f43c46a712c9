"""What the model says of each base, as tracks of a genome browser."""
