"""Many cells at once: DVC says which are stale and records what came out, an engine runs them side by side."""
