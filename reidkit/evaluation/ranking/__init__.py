"""From blocks of distances to the ranks of the positives, without ever sorting a gallery."""
