"""A pretrained network learns labels, and tells them of other sequences."""
