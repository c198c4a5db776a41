"""Names to objects, lazily: our own by ``"module:attribute"``, other packages' by entry point.

Listing a registry imports nothing. A plug-in that cannot be imported is kept as broken with its error and
raises only when somebody asks for it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from benchmark.cell import check_name
from benchmark.errors import BenchmarkError, raise_unknown

NO_PLUGINS = "SHORTCUT_BENCH_NO_PLUGINS"


@dataclass(frozen=True)
class Entry:
    """Where one name comes from.

    Attributes:
        target: ``module:attribute``.
        origin: ``built-in`` or the name and version of the distribution that brings it.
    """

    name: str
    target: str
    origin: str

    def load(self) -> Any:
        module, _, attribute = self.target.partition(":")
        return attrgetter(attribute)(importlib.import_module(module))


class Registry:
    """One kind of extension.

    Args:
        kind: The word for error messages: ``method``, ``dataset``, ``bias``, ``metric``, ``explainer``.
        builtin: Name to ``"module:attribute"``.
        group: Entry-point group of other packages' extensions; ``None`` for no plug-ins.
        plugins: Entry points to use instead of the installed ones (for tests).
    """

    def __init__(
        self,
        kind: str,
        builtin: Mapping[str, str],
        group: str | None = None,
        plugins: tuple[EntryPoint, ...] | None = None,
    ) -> None:
        self.kind, self.group = kind, group
        self._builtin = dict(builtin)
        self._given = plugins
        self._table: dict[str, Entry] | None = None

    def _plugins(self) -> tuple[EntryPoint, ...]:
        if self._given is not None:
            return self._given
        if self.group is None or os.environ.get(NO_PLUGINS) == "1":
            return ()
        return tuple(entry_points(group=self.group))

    def table(self) -> Mapping[str, Entry]:
        """All entries by name.

        Raises:
            BenchmarkError: If two origins claim one name, or a name breaks the cell rule.
        """
        if self._table is None:
            table = {
                name: Entry(check_name(self.kind, name), target, "built-in") for name, target in self._builtin.items()
            }
            for point in self._plugins():
                origin = f"{point.dist.name} {point.dist.version}" if point.dist else "entry point"
                entry = Entry(check_name(self.kind, point.name), point.value, origin)
                if point.name in table:
                    first = table[point.name]
                    raise BenchmarkError(
                        f"{self.kind} {point.name!r} is registered twice",
                        got=f"{first.target} ({first.origin}) and {entry.target} ({entry.origin})",
                        expected="one origin a name",
                        do=f"Rename one, uninstall one, or set {NO_PLUGINS}=1.",
                    )
                table[point.name] = entry
            self._table = table
        return self._table

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.table()))

    def __contains__(self, name: object) -> bool:
        return name in self.table()

    def get(self, name: str) -> Any:
        """Imports and returns what is registered under ``name``.

        Raises:
            BenchmarkError: If the name is unknown (with close names) or its code does not import.
        """
        entry = self.table().get(name)
        if entry is None:
            raise_unknown(
                self.kind,
                name,
                self.table(),
                do=f"Or install the package that brings it (entry-point group {self.group!r}).",
            )
        try:
            return entry.load()
        except Exception as error:
            raise BenchmarkError(
                f"{self.kind} {name!r} ({entry.origin}) cannot be imported from {entry.target!r}",
                got=f"{type(error).__name__}: {error}",
                do="Fix or uninstall the package that brings it.",
            ) from error


METHODS = Registry(
    "method",
    {
        "erm": "baselines.erm:ERM",
        "gain": "baselines.gain:GAIN",
        "isnet": "baselines.isnet:ISNet",
        "isnet_dual": "baselines.isnet_dual:ISNetDual",
        "isnet_gradinput": "baselines.isnet_gradinput:ISNetGradInput",
        "isnet_label": "baselines.isnet_family:ISNetLabel",
        "isnet_original": "baselines.isnet_family:ISNetOriginal",
        "isnet_path": "baselines.isnet_path:ISNetPath",
        "isnet_selective": "baselines.isnet_family:ISNetSelective",
        "isnet_softmax_gradinput": "baselines.isnet_gradinput:ISNetSoftmaxGradInput",
        "isnet_stochastic": "baselines.isnet_family:ISNetStochastic",
        "rrr": "baselines.rrr:RRR",
    },
    "shortcut_bench.methods",
)
DATASETS = Registry("dataset", {"mnist5k": "benchmark.data.mnist5k:MNIST5k"}, "shortcut_bench.datasets")
BIASES = Registry("bias", {"corner": "benchmark.biases.corner:Corner"}, "shortcut_bench.biases")
METRICS = Registry(
    "metric",
    {
        "accuracy": "benchmark.metrics.generalization:ACCURACY",
        "macro_f1": "benchmark.metrics.generalization:MACRO_F1",
        "macro_auroc": "benchmark.metrics.generalization:MACRO_AUROC",
        "background_relevance_mass": "benchmark.metrics.attribution:BACKGROUND_RELEVANCE_MASS",
    },
    "shortcut_bench.metrics",
)
EXPLAINERS = Registry(
    "explainer",
    {
        "integrated_gradients": "benchmark.explainers.integrated_gradients:explain",
        "lrp_epsilon": "baselines.explainers:lrp_epsilon",
    },
    "shortcut_bench.explainers",
)
