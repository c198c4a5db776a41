"""Differentiable LRP on unmodified models: ``lrp.relevance(logits, x, target)``, ``lrp.explain(model, x, target)``."""

from isnet.lrp.api import explain, first_non_finite, record, relevance
from isnet.lrp.engine import UnsupportedNode

__all__ = ["UnsupportedNode", "explain", "first_non_finite", "record", "relevance"]
