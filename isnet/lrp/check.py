"""Whether the engine can be trusted with a model: a table for a user's own network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isnet.lrp import oracle
from isnet.lrp.api import relevance, start
from isnet.lrp.engine import UnsupportedNode, plan
from isnet.lrp.ledger import Ledger, ledger
from isnet.lrp.names import named_nodes
from isnet.lrp.rules import LINEAR, RULES, Settings
from isnet.lrp.rules.base import Attention

ORACLE_BOUND, LEDGER_BOUND = 1e-9, 1e-9


@dataclass(frozen=True)
class Report:
    """What :func:`check` found.

    Attributes:
        nodes: Nodes between the logits and the image.
        unsupported: ``(operation, module)`` of each that has no rule.
        oracle_error: Largest difference to the oracle's heatmap, relative to its largest entry; NaN if it did not run.
        books: The ledger; ``None`` if the pass did not run.
        note: Why something did not run.
    """

    nodes: int
    unsupported: tuple[tuple[str, str], ...]
    oracle_error: float
    books: Ledger | None
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether heatmaps of this model are LRP, to rounding."""
        return self.books is not None and self.oracle_error <= ORACLE_BOUND and self.books.gap <= LEDGER_BOUND

    def __str__(self) -> str:
        lines = [f"{self.nodes} operations between the logits and the image"]
        lines += [
            f"no rule: {operation} in module {module or '(the model itself)'}" for operation, module in self.unsupported
        ]
        lines.append(f"difference to the oracle {self.oracle_error:.1e} (expected at most {ORACLE_BOUND:.0e})")
        if self.books is not None:
            lines.append(f"gap of the ledger        {self.books.gap:.1e} (expected at most {LEDGER_BOUND:.0e})")
            lines.append(str(self.books))
        lines += [self.note] if self.note else []
        lines.append("fit to be explained" if self.ok else "NOT fit to be explained as it is")
        return "\n".join(lines)


def check(
    model: nn.Module,
    x: Tensor,
    target: Tensor | int = 0,
    *,
    eps: float = 1e-2,
    attention: Attention = "attnlrp",
    verbose: bool = True,
) -> Report:
    """Compares the engine with an independent computation, on a float64 copy of ``model`` in evaluation mode.

    Three findings: operations without a rule; the difference to :mod:`isnet.lrp.oracle`, which rewrites the forward so
    that plain autograd gives the heatmap; and the gap of :func:`isnet.lrp.ledger`.

    Args:
        model: Images -> logits ``[B, C]``; it is not changed.
        x: ``[B, ...]`` a few typical images.
        target: As in :func:`isnet.lrp.relevance`, one map an image.
        eps: Stabiliser.
        attention: Rule of attention.
        verbose: Whether the findings are printed too.

    Example:
        >>> report = check(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)),
        ...                torch.rand(2, 1, 4, 4), verbose=False)
        >>> report.ok, report.unsupported
        (True, ())
    """
    model = oracle.frozen_copy(model).requires_grad_(True).double().eval()
    x = x.detach().double().requires_grad_()
    with torch.enable_grad(), named_nodes(model) as names:
        logits = model(x)
    way = plan(logits, x, (), Settings(eps, "constant", attention))
    missing = [
        node for node in way.order if node is not way.x_node and node.name() not in RULES and node.name() not in LINEAR
    ]
    unsupported = tuple(dict.fromkeys((node.name(), names.of(node, logits) or "") for node in missing))
    error, books, note = float("nan"), None, ""
    if not unsupported:
        weights = start(logits, target)
        try:
            books = ledger(logits, x, weights, eps=eps, attention=attention)
            heatmap = relevance(logits, x, weights, eps=eps, attention=attention).detach()
            error = oracle.difference(
                heatmap, oracle.relevance(model, x.detach(), weights, eps=eps, attention=attention)
            )
        except UnsupportedNode as problem:
            unsupported = ((problem.node.name(), names.of(problem.node, logits) or ""),)
            note = problem.reason
        except (ValueError, RuntimeError) as problem:
            note = f"the oracle did not run: {problem}"
    report = Report(len(way.order), unsupported, error, books, note)
    if verbose:
        print(report)
    return report
