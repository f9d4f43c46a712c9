"""One file a command: options to settings to one call."""
