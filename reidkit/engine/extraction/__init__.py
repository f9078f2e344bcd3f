"""Embeddings of images by the million, shard by shard, in this process or by Ray."""
