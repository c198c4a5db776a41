"""The commands of ``python -m benchmark``, one a file: ``configure`` tells its arguments, ``run`` does it."""
