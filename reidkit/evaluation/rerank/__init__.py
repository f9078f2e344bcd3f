"""Steps between distances and ranking."""
