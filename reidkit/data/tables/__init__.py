"""Tables of any program: read as columns of text, and what the columns mean."""
