"""Where results go, and how they are written."""
