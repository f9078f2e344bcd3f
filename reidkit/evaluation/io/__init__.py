"""Embeddings and results on disk."""
