"""The training engine: what mmengine's Runner lacks, and nothing else."""
