"""The viewer: OHIF at an origin of its own, with what it reads and nothing else."""
