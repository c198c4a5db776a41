"""Training one cell: :func:`benchmark.training.pool.train_seeds` runs its seeds side by side."""
