"""An equal, small, recorded budget of settings for every method: ``python -m benchmark.tune``."""
