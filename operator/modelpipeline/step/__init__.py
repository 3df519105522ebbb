"""What runs inside build containers; the standard library and nothing else."""
