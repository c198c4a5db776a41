"""Methods over many data sets by their ranks: Friedman's test, Nemenyi's critical difference, and its diagram.

With average ranks ``R_j`` of k methods on N data sets (1 = best, equal values share a rank):

    CD = q_α sqrt(k (k + 1) / (6 N))

where ``q_α`` is the studentized range's quantile for k groups and infinite degrees of freedom, over sqrt(2). Methods
less than CD apart cannot be told apart. Only from six data sets on: with fewer, ranks throw away most of what a handful
of numbers says, and CD is wider than most differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from benchmark.api import Floats
from benchmark.errors import BenchmarkError

FEWEST = 6
"""Data sets that a comparison of ranks needs at least."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """How ``k`` methods rank over ``N`` data sets.

    Attributes:
        names: ``k`` methods, in the order of the columns.
        ranks: ``[k]`` average ranks, 1 = best.
        datasets: N.
        chi2: Friedman's statistic, corrected for ties.
        p: P-value of "all methods rank alike", by chi-square with k - 1 degrees of freedom.
        pairwise: ``[k, k]`` Nemenyi's p-values of "these two rank alike"; 1 on the diagonal.
        critical: The critical difference of two average ranks.
        alpha: Its error rate, of the whole family of pairs.
    """

    names: tuple[str, ...]
    ranks: Floats
    datasets: int
    chi2: float
    p: float
    pairwise: Floats
    critical: float
    alpha: float

    def groups(self) -> list[tuple[str, ...]]:
        """The largest sets of methods that cannot be told apart, best first: the bars of the diagram."""
        order = np.argsort(self.ranks, kind="stable")
        ranks, found, reached = self.ranks[order], [], 0
        for first in range(len(order)):
            end = int(np.flatnonzero(ranks - ranks[first] < self.critical)[-1]) + 1
            if end > max(reached, first + 1):  # no part of the group before, and no method alone
                found.append(tuple(self.names[i] for i in order[first:end]))
            reached = max(reached, end)
        return found


def critical_difference(methods: int, datasets: int, alpha: float = 0.05) -> float:
    """Nemenyi's ``CD`` of two average ranks.

    Args:
        methods: k, at least 2.
        datasets: N, at least 1.
        alpha: In (0, 1).

    Raises:
        BenchmarkError: If a number is out of its range.

    Source:
        Nemenyi 1963; Demšar, JMLR 7, 2006, section 3.2.2.
    """
    if methods < 2 or datasets < 1 or not 0 < alpha < 1:
        raise BenchmarkError(
            "critical difference",
            got=f"{methods} methods, {datasets} data sets, alpha {alpha}",
            expected="at least 2 methods and 1 data set, alpha between 0 and 1",
        )
    quantile = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(quantile * _rank_error(methods, datasets))


def compare_ranks(
    values: Floats, names: Sequence[str], *, higher_is_better: bool = True, alpha: float = 0.05
) -> Ranking:
    """Ranks methods on every data set and tests whether they differ.

    Args:
        values: ``[N, k]`` one value a data set and method (a mean over seeds), N >= 6, k >= 3.
        names: ``k`` distinct methods.
        higher_is_better: Direction of the metric.
        alpha: Error rate of the critical difference.

    Raises:
        BenchmarkError: If there are fewer than six data sets or three methods, names do not fit, a value is not
            finite, or all methods are equal on every data set.
    """
    values = np.asarray(values, float)
    if values.ndim != 2 or values.shape[1] < 3 or len(set(names)) != values.shape[1] or len(names) != len(set(names)):
        got = f"values {values.shape} of {list(names)}"
        raise BenchmarkError("ranks of methods", got=got, expected="[N, k] of k >= 3 distinct methods")
    if len(values) < FEWEST:
        raise BenchmarkError(
            "data sets of a comparison of ranks",
            got=len(values),
            expected=f"at least {FEWEST}",
            do="Use benchmark.stats.aggregate: interquartile mean and probability of improvement.",
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise BenchmarkError(
            f"value of {names[column]} on data set {row} is not finite", do="Leave the data set or the method out."
        )
    if (values == values[:, :1]).all():
        raise BenchmarkError("methods are equal on every data set", expected="at least one difference")
    ranks = rankdata(-values if higher_is_better else values, axis=1).mean(0)
    chi2, p = friedmanchisquare(*values.T)
    datasets, methods = values.shape
    apart = np.abs(ranks[:, None] - ranks) / _rank_error(methods, datasets) * np.sqrt(2)
    pairwise = np.asarray(studentized_range.sf(apart, methods, np.inf))
    critical = critical_difference(methods, datasets, alpha)
    return Ranking(tuple(names), ranks, datasets, float(chi2), float(p), pairwise, critical, alpha)


def _rank_error(methods: int, datasets: int) -> float:
    return float(np.sqrt(methods * (methods + 1) / (6 * datasets)))


# --- diagram ----------------------------------------------------------------------------------------

WIDTH, LEFT, RIGHT, AXIS, ROW, BAR = 720, 190, 530, 74, 20, 11
STYLE = """
svg{--ink:#1d2329;--muted:#5b6670;--paper:#fff;font-family:system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e6e9ec;--muted:#a0abb5;--paper:#14181c}}
.paper{fill:var(--paper)}
text{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}.soft{fill:var(--muted);font-size:12px}
line,path{stroke:var(--ink);fill:none}.lead{stroke:var(--muted);stroke-width:1}.bar{stroke-width:4}
"""


def draw_ranks(ranking: Ranking) -> str:
    """The critical-difference diagram as an SVG file of its own: best left, a bar over what cannot be told apart.

    Position of a rank ``r`` among k: ``x = left + (r - 1) / (k - 1) * (right - left)``.
    """
    count = len(ranking.names)
    order = [int(i) for i in np.argsort(ranking.ranks, kind="stable")]
    groups, half = ranking.groups(), (count + 1) // 2
    first = AXIS + 22 + BAR * len(groups)
    height = first + ROW * half + 34

    def x(rank: float) -> float:
        return LEFT + (rank - 1) / (count - 1) * (RIGHT - LEFT)

    parts = [_line(x(1), AXIS, x(count), AXIS)]
    for rank in range(1, count + 1):
        parts += [_line(x(rank), AXIS - 6, x(rank), AXIS), _text(x(rank), AXIS - 11, str(rank), "middle", "soft")]
    end = x(1 + ranking.critical)
    parts += [_line(x(1), 30, end, 30), _line(x(1), 26, x(1), 34), _line(end, 26, end, 34)]
    parts.append(_text((x(1) + end) / 2, 19, f"CD = {ranking.critical:.2f}", "middle"))
    for row, group in enumerate(groups):
        ranks = [ranking.ranks[ranking.names.index(name)] for name in group]
        height_of_bar = AXIS + 12 + BAR * row
        parts.append(_line(x(min(ranks)) - 4, height_of_bar, x(max(ranks)) + 4, height_of_bar, "bar"))
    for place, i in enumerate(order):
        left = place < half
        down = first + ROW * (place if left else count - 1 - place) + 8
        at, side, anchor = x(ranking.ranks[i]), (LEFT - 12 if left else RIGHT + 12), ("end" if left else "start")
        name, mean = escape(ranking.names[i]), f"{ranking.ranks[i]:.2f}"
        label = f"{name} {mean}" if left else f"{mean} {name}"
        parts.append(f'<path class="lead" d="M{at:.1f} {AXIS}V{down}H{side}"/>')
        parts.append(_text(side + (-5 if left else 5), down + 4, label, anchor))
    told = f"{ranking.datasets} data sets; Friedman p = {ranking.p:.2g}; bars join methods less than CD apart"
    parts.append(_text(WIDTH / 2, height - 10, f"{told} (Nemenyi, alpha = {ranking.alpha:g})", "middle", "soft"))
    words = ", ".join(f"{ranking.names[i]} {ranking.ranks[i]:.2f}" for i in order)
    title = escape(f"Average ranks, 1 = best: {words}. Critical difference {ranking.critical:.2f}.", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" aria-label="{title}"><style>{STYLE}</style><title>{title}</title>'
        '<rect class="paper" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
