"""Test the intervals: simulate experiments with a known truth, count how often each kind of interval holds it.

Writes results/stats/coverage.csv and, beside it, coverage.svg, and prints the table of docs/statistics.md. About ten
minutes of one core. A run of fewer repetitions writes to runs/coverage/. The model is in benchmark/stats/simulate.py,
its limits are in docs/statistics.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark import paths
from benchmark.files import atomic_path, write_text
from benchmark.stats.simulate import COLUMNS, DESIGNS, coverage
from pipelines import program
from pipelines.plot_style import INK, settings

SEEDS, REPETITIONS, DRAWS, STREAM = (3, 5, 10), 40_000, 400, 2026
PUBLISHED, TRIAL = paths.RESULTS / "stats" / "coverage.csv", paths.RUNS / "coverage" / "coverage.csv"
PANELS = {"none": "480 patients, 1 image each", "patients": "60 patients, 8 images each"}
NAMES = {
    "variance_sum": "variance sum (headline)",
    "satterthwaite": "the same, Satterthwaite's df",
    "nested": "nested bootstrap",
    "unit_bootstrap": "bootstrap of patients",
    "image_bootstrap": "bootstrap of images",
    "t_seeds": "t over seeds",
    "se_196": "mean ± 1.96 SD/√seeds",
    "se": "mean ± SD/√seeds",
}


def simulated(repetitions: int) -> pd.DataFrame:
    """The table; each design has a stream of its own."""
    streams = np.random.SeedSequence(STREAM).spawn(len(DESIGNS))
    pairs = zip(DESIGNS, map(np.random.default_rng, streams), strict=True)
    rows = [row for design, rng in pairs for row in coverage(design, SEEDS, repetitions, DRAWS, rng)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def markdown(table: pd.DataFrame) -> str:
    """Coverage in percent: a row an interval; a column a number of seeds, first without and then with clusters."""
    wide = 100 * table.pivot_table(index="interval", columns=["clusters", "seeds"], values="coverage", sort=False)
    lines = zip(wide.index, wide.to_numpy(), strict=True)
    return "\n".join(f"| {NAMES[name]} | {' | '.join(f'{value:.1f}' for value in row)} |" for name, row in lines)


def draw(table: pd.DataFrame, path: Path) -> None:
    """A row an interval, a dot a number of seeds, a panel a design; a line where each interval says that it is."""
    with mpl.rc_context(settings("coverage", 10)):
        figure = Figure(figsize=(9.2, 4.0), layout="constrained")
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        for panel, (clusters, title) in zip(axes, PANELS.items(), strict=True):
            part = table[table.clusters == clusters]
            part = part.assign(coverage=100 * part.coverage, interval=part.interval.map(NAMES))
            dots = {"hue": "seeds", "palette": "flare", "jitter": False, "dodge": True, "size": 7}
            sns.stripplot(part, x="coverage", y="interval", ax=panel, **dots)
            for row, nominal in enumerate(100 * table.drop_duplicates("interval").nominal):
                panel.vlines(nominal, row - 0.5, row + 0.5, color=INK, linewidth=1.4, zorder=0)
            panel.set(title=title, xlabel="holds the truth, % of repetitions", ylabel="", xlim=(38, 100))
            panel.set_yticks([row + 0.5 for row in range(len(NAMES) - 1)], minor=True)
            panel.grid(visible=True, axis="y", which="minor", linewidth=0.6)
            panel.tick_params(axis="y", which="both", length=0)
            handles, labels = panel.get_legend_handles_labels()
            panel.get_legend().remove()
        handles.append(Line2D([], [], color=INK, linewidth=1.4))
        figure.legend(handles, [*(f"{seeds} seeds" for seeds in labels), "should be"], loc="outside right center")
        with atomic_path(path) as fresh:
            figure.savefig(fresh, format="svg", metadata={"Date": None, "Creator": None})


def main(arguments: argparse.Namespace) -> None:
    target = arguments.out or (PUBLISHED if arguments.repetitions >= REPETITIONS else TRIAL)
    table = simulated(arguments.repetitions)
    write_text(target, table.to_csv(index=False, float_format="%.5g"))
    draw(table, target.with_suffix(".svg"))
    print(f"{markdown(table)}\n{target}")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help=f"of each design ({REPETITIONS:,})")
    parser.add_argument("--out", type=Path, help="the table's file; the figure lies beside it")
    program.run(main, parser)
