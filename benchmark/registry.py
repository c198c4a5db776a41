"""Names to objects, lazily: our own by ``"module:attribute"``, other packages' by entry point.

Listing a registry imports nothing. A broken plug-in (a bad name, a name that somebody else has, code that does not
import or does not fit the contract) is listed with its error, and raises only when somebody asks for it.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from benchmark.api import Bias, Dataset, Method, Metric
from benchmark.cell import check_name
from benchmark.errors import BenchmarkError, raise_unknown

BUILT_IN = "built-in"
NO_PLUGINS = "SHORTCUT_BENCH_NO_PLUGINS"


@dataclass(frozen=True)
class Entry:
    """Where one name comes from.

    Attributes:
        target: ``module:attribute``.
        origin: ``built-in`` or the name and version of the distribution that brings it.
        error: Why it cannot be used, as far as that is known without importing it.
    """

    name: str
    target: str
    origin: str
    error: BenchmarkError | None = None

    def load(self) -> Any:
        module, _, attribute = self.target.partition(":")
        return attrgetter(attribute)(importlib.import_module(module))

    def __str__(self) -> str:
        return f"{self.target} ({self.origin})"


class Registry:
    """One kind of extension.

    Args:
        kind: The word for error messages: ``method``, ``dataset``, ``bias``, ``metric``, ``explainer``.
        builtin: Name to ``"module:attribute"``.
        group: Entry-point group of other packages' extensions; ``None`` for no plug-ins.
        plugins: Entry points to use instead of the installed ones (for tests).
        contract: What everything registered must be: a subclass of this class (an instance where it is ``Metric``),
            or with ``None`` a function.
    """

    def __init__(
        self,
        kind: str,
        builtin: Mapping[str, str],
        group: str | None = None,
        plugins: tuple[EntryPoint, ...] | None = None,
        contract: type | None = None,
    ) -> None:
        self.kind, self.group, self.contract = kind, group, contract
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
        """All entries by name, the broken ones too."""
        if self._table is None:
            self._table = {
                name: Entry(check_name(self.kind, name), target, BUILT_IN) for name, target in self._builtin.items()
            }
            for point in self._plugins():
                self._add(point, self._table)
        return self._table

    def _add(self, point: EntryPoint, table: dict[str, Entry]) -> None:
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else "entry point"
        entry = Entry(point.name, point.value, origin)
        try:
            check_name(self.kind, point.name)
        except BenchmarkError as error:
            told = BenchmarkError(f"{error.what}, of {entry}", got=error.got, expected=error.expected, do=error.do)
            entry = replace(entry, error=told)
        first = table.get(point.name)
        if first is None:
            table[point.name] = entry
        elif first != entry:  # a distribution that is installed twice on the path is still one
            twice = BenchmarkError(
                f"{self.kind} {point.name!r} is registered twice",
                got=f"{first} and {entry}",
                expected="one origin a name",
                do=f"Rename one, uninstall one, or set {NO_PLUGINS}=1.",
            )
            table[point.name] = replace(first, error=twice)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.table()))

    def __contains__(self, name: object) -> bool:
        return name in self.table()

    def entry(self, name: str) -> Entry:
        """Where a name comes from.

        Raises:
            BenchmarkError: If it is unknown (with close names), no name for a cell, or two packages claim it.
        """
        entry = self.table().get(name)
        if entry is None:
            raise_unknown(
                self.kind,
                name,
                self.table(),
                do=f"Or install the package that brings it (pip install ...; entry-point group {self.group!r}).",
            )
        if entry.error is not None:
            raise entry.error
        return entry

    def get(self, name: str) -> Any:
        """Imports and returns what is registered under ``name``.

        Raises:
            BenchmarkError: As :meth:`entry`; or if its code does not import or does not fit the contract.
        """
        entry = self.entry(name)
        try:
            found = entry.load()
        except (Exception, SystemExit) as error:  # a module that ends the program would end it without a word
            raise BenchmarkError(
                f"{self.kind} {name!r} ({entry.origin}) cannot be imported from {entry.target!r}",
                got=f"{type(error).__name__}: {error}",
                do="Fix or uninstall the package that brings it.",
            ) from error
        if not self._fits(found) or (isinstance(found, Metric) and found.name != name):
            raise BenchmarkError(
                f"{self.kind} {name!r} does not fit the contract: {entry}",
                got=found,
                expected=self._expected(),
                do="See benchmark/api.",
            )
        return found

    def working(self) -> dict[str, Any]:
        """Everything that can be used, imported, by name: who asks for all is not stopped by a broken plug-in.

        Raises:
            BenchmarkError: If something of ours is broken or claimed by a plug-in: results would change without it.
        """
        found = {}
        for name, entry in self.table().items():
            try:
                found[name] = self.get(name)
            except BenchmarkError:
                if entry.origin == BUILT_IN:
                    raise
        return found

    def _fits(self, found: object) -> bool:
        if self.contract is None:
            return callable(found)
        if self.contract is Metric:
            return isinstance(found, Metric)
        return inspect.isclass(found) and issubclass(found, self.contract) and not inspect.isabstract(found)

    def _expected(self) -> str:
        if self.contract is None:
            return "a function"
        name = f"{self.contract.__module__}.{self.contract.__qualname__}"
        if self.contract is Metric:
            return f"an instance of {name} with the name under which it is registered"
        return f"a subclass of {name} that leaves nothing abstract"


METHODS = Registry(
    "method",
    {
        "ag_sononet": "baselines.ag_sononet:AGSononet",
        "bg_swap": "baselines.bg_swap:BackgroundSwap",
        "cdep": "baselines.cdep:CDEP",
        "dfr": "baselines.dfr:DFR",
        "erm": "baselines.erm:ERM",
        "gain": "baselines.gain:GAIN",
        "group_dro": "baselines.group_dro:GroupDRO",
        "ham": "baselines.ham:HAM",
        "isnet": "baselines.isnet:ISNet",
        "isnet_dual": "baselines.isnet_dual:ISNetDual",
        "isnet_gradinput": "baselines.isnet_gradinput:ISNetGradInput",
        "isnet_label": "baselines.isnet_family:ISNetLabel",
        "isnet_original": "baselines.isnet_family:ISNetOriginal",
        "isnet_path": "baselines.isnet_path:ISNetPath",
        "isnet_selective": "baselines.isnet_family:ISNetSelective",
        "isnet_softmax_gradinput": "baselines.isnet_gradinput:ISNetSoftmaxGradInput",
        "isnet_stochastic": "baselines.isnet_family:ISNetStochastic",
        "jtt": "baselines.jtt:JTT",
        "lff": "baselines.lff:LfF",
        "mask_input": "baselines.mask_input:MaskInput",
        "masktune": "baselines.masktune:MaskTune",
        "multitask_unet": "baselines.multitask_unet:MultitaskUNet",
        "rrr": "baselines.rrr:RRR",
        "rrr_gradcam": "baselines.rrr_gradcam:RRRGradCAM",
        "unet_classifier": "baselines.unet_classifier:UNetClassifier",
        "vit": "baselines.vit:ViT",
    },
    "shortcut_bench.methods",
    contract=Method,
)
DATASETS = Registry(
    "dataset",
    {
        "celebamask": "benchmark.data.celebamask:CelebAMask",
        "chexpert": "benchmark.data.chexpert:CheXpert",
        "covid_cxr": "benchmark.data.covid_cxr:CovidCXR",
        "cub": "benchmark.data.cub:CUB",
        "fashion_mnist": "benchmark.data.mnist:FashionMNIST",
        "imagenet9": "benchmark.data.imagenet9:ImageNet9",
        "isic": "benchmark.data.isic:ISIC",
        "manifest": "benchmark.data.manifest:Manifest",
        "mnist": "benchmark.data.mnist:MNIST",
        "mnist5k": "benchmark.data.mnist5k:MNIST5k",
        "oxford_pets": "benchmark.data.oxford_pets:OxfordPets",
        "shenzhen_montgomery": "benchmark.data.shenzhen_montgomery:ShenzhenMontgomery",
        "spawrious": "benchmark.data.spawrious:Spawrious",
        "stanford_dogs": "benchmark.data.stanford_dogs:StanfordDogs",
        "waterbirds": "benchmark.data.waterbirds:Waterbirds",
    },
    "shortcut_bench.datasets",
    contract=Dataset,
)
BIASES = Registry(
    "bias",
    {
        "background_swap": "benchmark.biases.background_swap:BackgroundSwap",
        "border": "benchmark.biases.border:Border",
        "corner": "benchmark.biases.corner:Corner",
        "natural": "benchmark.biases.natural:Natural",
        "noise": "benchmark.biases.noise:Noise",
        "shape": "benchmark.biases.shape:Shape",
        "source": "benchmark.biases.source:Source",
        "stamp": "benchmark.biases.stamp:Stamp",
        "texture": "benchmark.biases.texture:Texture",
        "tint": "benchmark.biases.tint:Tint",
        "watermark": "benchmark.biases.watermark:Watermark",
    },
    "shortcut_bench.biases",
    contract=Bias,
)
METRICS = Registry(
    "metric",
    {
        "accuracy": "benchmark.metrics.generalization:ACCURACY",
        "balanced_accuracy": "benchmark.metrics.generalization:BALANCED_ACCURACY",
        "macro_f1": "benchmark.metrics.generalization:MACRO_F1",
        "macro_auroc": "benchmark.metrics.ranking:MACRO_AUROC",
        "macro_auroc_hand_till": "benchmark.metrics.ranking:MACRO_AUROC_HAND_TILL",
        "macro_auprc": "benchmark.metrics.ranking:MACRO_AUPRC",
        "ece": "benchmark.metrics.calibration:ECE",
        "brier": "benchmark.metrics.calibration:BRIER",
        "background_relevance_mass": "benchmark.metrics.attribution:BACKGROUND_RELEVANCE_MASS",
        "mark_relevance": "benchmark.metrics.attribution:MARK_RELEVANCE",
        "density_ratio": "benchmark.metrics.attribution:DENSITY_RATIO",
        "density_share": "benchmark.metrics.attribution:DENSITY_SHARE",
        "relevance_mass_accuracy": "benchmark.metrics.attribution:RELEVANCE_MASS_ACCURACY",
        "inside_total_ratio": "benchmark.metrics.attribution:INSIDE_TOTAL_RATIO",
        "weighted_inside_total_ratio": "benchmark.metrics.attribution:WEIGHTED_INSIDE_TOTAL_RATIO",
        "relevance_rank_accuracy": "benchmark.metrics.localisation:RELEVANCE_RANK_ACCURACY",
        "pointing_game": "benchmark.metrics.localisation:POINTING_GAME",
        "energy_pointing_game": "benchmark.metrics.localisation:ENERGY_POINTING_GAME",
        "mask_auroc": "benchmark.metrics.localisation:MASK_AUROC",
        "mask_average_precision": "benchmark.metrics.localisation:MASK_AVERAGE_PRECISION",
        "background_curve_area": "benchmark.metrics.curves:BACKGROUND_CURVE_AREA",
        "iou_top_area": "benchmark.metrics.curves:IOU_TOP_AREA",
        "iou_curve_area": "benchmark.metrics.curves:IOU_CURVE_AREA",
        "background_swap_flip_rate": "benchmark.metrics.behaviour:BACKGROUND_SWAP_FLIP_RATE",
        "background_swap_effect": "benchmark.metrics.behaviour:BACKGROUND_SWAP_EFFECT",
        "swapped_same_accuracy": "benchmark.metrics.behaviour:SWAPPED_SAME_ACCURACY",
        "swapped_other_accuracy": "benchmark.metrics.behaviour:SWAPPED_OTHER_ACCURACY",
        "background_gap": "benchmark.metrics.behaviour:BACKGROUND_GAP",
        "adversarial_background_robustness": "benchmark.metrics.behaviour:ADVERSARIAL_BACKGROUND_ROBUSTNESS",
        "only_background_accuracy": "benchmark.metrics.behaviour:ONLY_BACKGROUND_ACCURACY",
        "no_foreground_accuracy": "benchmark.metrics.behaviour:NO_FOREGROUND_ACCURACY",
        "background_noise_accuracy": "benchmark.metrics.behaviour:BACKGROUND_NOISE_ACCURACY",
        "foreground_noise_accuracy": "benchmark.metrics.behaviour:FOREGROUND_NOISE_ACCURACY",
        "relative_foreground_sensitivity": "benchmark.metrics.behaviour:RELATIVE_FOREGROUND_SENSITIVITY",
        "injection_gap": "benchmark.metrics.behaviour:INJECTION_GAP",
        "injection_pull": "benchmark.metrics.behaviour:INJECTION_PULL",
        "bias_decodability": "benchmark.metrics.behaviour:BIAS_DECODABILITY",
        "predicted_mask_accuracy": "benchmark.metrics.behaviour:PREDICTED_MASK_ACCURACY",
        "faithfulness": "benchmark.metrics.guards:FAITHFULNESS",
        "randomisation": "benchmark.metrics.guards:RANDOMISATION",
        "heatmap_loss": "benchmark.metrics.attribution:HEATMAP_LOSS",
    },
    "shortcut_bench.metrics",
    contract=Metric,
)
EXPLAINERS = Registry(
    "explainer",
    {
        "integrated_gradients": "benchmark.explainers.integrated_gradients:explain",
        "lrp_epsilon": "baselines.explainers:lrp_epsilon",
        "grad_cam": "benchmark.explainers.grad_cam:explain",
        "occlusion": "benchmark.explainers.occlusion:explain",
        "gradient_shap": "benchmark.explainers.gradient_shap:explain",
        "attention_rollout": "benchmark.explainers.attention_rollout:explain",
        "uniform": "benchmark.explainers.simple:uniform",
        "centre": "benchmark.explainers.simple:centre",
        "edges": "benchmark.explainers.simple:edges",
    },
    "shortcut_bench.explainers",
)

REGISTRIES = {
    "methods": METHODS,
    "datasets": DATASETS,
    "biases": BIASES,
    "metrics": METRICS,
    "explainers": EXPLAINERS,
}
