"""Numbers from ranks and from scores of pairs."""
