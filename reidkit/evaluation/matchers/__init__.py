"""How far two embeddings are from each other, in blocks of query x gallery."""
