"""The rules of all nodes; importing this package registers them."""

from isnet.lrp.rules import activations, attention, linear, norms, products
from isnet.lrp.rules.base import GATES, LINEAR, RULES, Settings, Step, rule

__all__ = [
    "GATES",
    "LINEAR",
    "RULES",
    "Settings",
    "Step",
    "activations",
    "attention",
    "linear",
    "norms",
    "products",
    "rule",
]
