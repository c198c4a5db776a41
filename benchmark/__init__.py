"""The harness: contracts, registry, data, biases, training, scoring, statistics and report."""

__version__ = "0.1.0"
