"""study.md: how many seeds of each method were hacked, and what mark and heatmap did in every one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statsmodels.stats.proportion import proportion_confint

from benchmark.report.numbers import fraction, magnitude

HACKED = 0.05
"""A seed is hacked when a deceiving mark costs it more accuracy than this."""

ROUNDING = 1e-9
"""A gap is a difference of two shares of whole images: nothing real is as small."""

Scores = Sequence[Mapping[str, str]]
Key = tuple[str, int]


def by_cell(scores: Scores, variant: str, metric: str) -> dict[Key, float]:
    """``(method, seed)`` to the value of one metric, where it is defined."""
    rows = [row for row in scores if (row["variant"], row["metric"]) == (variant, metric) and row["value"]]
    return {(row["method"], int(row["seed"])): float(row["value"]) for row in rows}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose others are numbers."""
    ruler = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ruler, *rows))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def number(value: float | None, form: Any = fraction) -> str:
    return "not defined" if value is None else str(form(value))


def study(suite: str, scores: Scores, marks: Sequence[Mapping[str, Any]]) -> str:
    """The text of study.md.

    Args:
        suite: Its name.
        scores: Rows of scores.csv.
        marks: Rows of marks.csv.
    """
    score = {
        name: by_cell(scores, *where)
        for name, where in {
            "iid": ("iid", "accuracy"),
            "deceiving": ("deceiving", "accuracy"),
            "gap": ("deceiving", "accuracy_gap"),
            "loss": ("iid", "heatmap_loss"),
        }.items()
    }
    mark = {(row["method"], int(row["seed"])): row for row in marks}
    methods = list(dict.fromkeys(method for method, _ in mark))
    return TEXT.format(
        suite=suite,
        hacked=fraction(HACKED),
        methods=table(METHOD_HEADS, [_method_row(method, score, mark) for method in methods]),
        seeds=table(SEED_HEADS, [_seed_row(key, score, mark) for key in mark]),
    )


METHOD_HEADS = (
    "method",
    "hacked seeds",
    "share, 95 %",
    "accuracy iid",
    "deceiving",
    "largest gap",
    "effect of the mark",
    "relevance on the mark",
    "along the path: LRP-ε",
    "gradients",
)


def _method_row(method: str, score: Mapping[str, Mapping[Key, float]], mark: Mapping[Key, Any]) -> list[str]:
    seeds = [key for key in mark if key[0] == method]
    gaps = [score["gap"][key] for key in seeds]
    hacked = sum(gap > HACKED + ROUNDING for gap in gaps)
    low, high = proportion_confint(hacked, len(seeds), method="beta")
    return [
        f"`{method}`",
        f"{hacked} of {len(seeds)}",
        f"[{fraction(low)}, {fraction(high)}]",
        *(fraction(mean([score[name][key] for key in seeds])) for name in ("iid", "deceiving")),
        fraction(max(gaps)),
        *(
            magnitude(mean([mark[key][name] for key in seeds]))
            for name in ("mark_effect", "mark_relevance", "path_relevance", "path_gradient")
        ),
    ]


SEED_HEADS = (
    "method",
    "seed",
    "accuracy iid",
    "deceiving",
    "gap",
    "heatmap loss",
    "effect of the mark",
    "relevance on the mark",
    "its share of the map",
    "along the path: LRP-ε",
    "gradients",
)


def _seed_row(key: Key, score: Mapping[str, Mapping[Key, float]], mark: Mapping[Key, Any]) -> list[str]:
    names = ("mark_effect", "mark_relevance", "mark_share", "path_relevance", "path_gradient")
    return [
        f"`{key[0]}`",
        str(key[1]),
        *(number(score[name].get(key)) for name in ("iid", "deceiving", "gap")),
        number(score["loss"].get(key), magnitude),
        *(magnitude(mark[key][name]) for name in names),
    ]


TEXT = """\
# Suite {suite}: who was hacked, and what the heatmap said

A seed is hacked when a deceiving mark costs it more than {hacked} of accuracy (its gap: iid minus deceiving). The share
of hacked trainings by this recipe has the exact (Clopper-Pearson) 95 % interval. The other numbers are means of seeds.

{methods}

- **Effect of the mark**: the label's logit with the mark, minus without it. **Relevance on the mark**: LRP-ε of that
  logit at the marked image, summed over the mark. If the heatmap told what the mark does, both would be alike.
- **Along the path**: background relevance over its brightness, averaged over the way from the black background to the
  image: by LRP-ε, and by plain gradients, for which it equals the effect (here up to the 20 points of the average).

100 test images, each with its own class's mark; means over images.

## Every seed

{seeds}

Written by `python -m pipelines.mechanism {suite}`.
"""
