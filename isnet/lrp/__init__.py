"""Differentiable LRP on unmodified models: ``lrp.relevance(logits, x, target)``, ``lrp.explain(model, x, target)``."""

from isnet.lrp.api import explain, first_non_finite, record, relevance
from isnet.lrp.check import check
from isnet.lrp.engine import UnsupportedNode
from isnet.lrp.ledger import ledger

__all__ = ["UnsupportedNode", "check", "explain", "first_non_finite", "ledger", "record", "relevance"]
