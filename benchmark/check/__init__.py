"""Whether published numbers still come out: ``python -m benchmark.check``; see docs/regression.md."""
