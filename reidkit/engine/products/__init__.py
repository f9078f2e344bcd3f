"""What a run leaves beside its numbers: pictures, samples, image quality, tables of many runs."""
