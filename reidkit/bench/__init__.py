"""Speed, always as a ratio against the straightforward way, measured in one run."""
