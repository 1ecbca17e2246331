"""The older name of this launcher, kept so that `python -m nexa_dist.launch` works."""
