"""Data sets, masks, splits and packs."""
