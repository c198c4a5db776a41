"""Planted shortcuts, one a file."""
