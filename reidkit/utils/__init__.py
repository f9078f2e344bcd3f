"""Small tools that every layer may use: files that appear whole or not at all, and progress."""
