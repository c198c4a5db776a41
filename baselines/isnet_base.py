r"""What all methods of the ISNet family share: a classifier trained through its own heatmaps.

.. math:: L = (1 - P)\,\mathrm{CE}(f(x), y) + P\,(w_1 L_1 + w_2 L_2)

L1 and L2 are the heatmap losses of :mod:`isnet.loss`; a member of the family says how its heatmaps are made. At run
time the network is an ordinary classifier. Every member can

- train on points of a path from each image to another background (``path``, :mod:`isnet.path`);
- be supervised at hidden layers too (``deep_supervision``, ``hidden``, :mod:`isnet.deep_supervision`);
- take its bounds ``C1`` and ``C2`` from a plain classifier (:meth:`HeatmapTrained.tune`, :mod:`isnet.tuning`);
- save relevance passes (``every``, ``fraction``): the expected loss stays the same, its variance grows. Gradient
  clipping, which is not linear, makes this an approximation. Validation always computes the whole loss.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.isnet_maps import IMAGE, Explained, Factor, Sample, part, sample_of
from baselines.wrappers import unwrapped
from benchmark.api import Batch, Method, Needs, Options
from benchmark.errors import BenchmarkError
from isnet.deep_supervision import default_layers, layer_mask, over_places
from isnet.loss import HeatmapLoss, Upper, heatmap_loss
from isnet.path import Kind, Schedule, point
from isnet.tuning import Running, bounds, map_total

Positive = Annotated[float, Field(gt=0)]
Bounds = Positive | tuple[Positive, ...]


class HeatmapTrained(Method):
    """Heatmaps of the training images, or of points on the way from them to another background."""

    class Settings(Options):
        """Symbols of the papers in brackets; defaults are those of the Faster ISNet's MNIST experiment."""

        heatmap_share: float = Field(0.7, ge=0, lt=1, description="[P] weight of the heatmap loss")
        background_weight: float = Field(1.0, ge=0, description="[w1]")
        foreground_weight: float = Field(1.0, ge=0, description="[w2]")
        decay: float = Field(0.9, ge=0, le=1, description="[d] of the rank pooling")
        offset: float = Field(1.0, gt=0, description="[E]")
        lower: Bounds = Field(1.0, description="[C1], one for all maps or one a map")
        upper: Bounds = Field(25.0, description="[C2], likewise")
        upper_term: Upper = Field("l2", description="penalty above C2; hybrid is Faster ISNet's library default")

        path: Kind = Field("none", description="where network and heatmap are taken: on the way to what")
        alpha: Schedule = Field("uniform", description="law of the place on the path")
        clean: float = Field(0.0, ge=0, le=1, description="probability of the image itself, where there is a path")
        relevance_of: Factor = Field(
            "point",
            description="factor of the gradient: the point of the path, or what the path takes away, (x - b) in the "
            "background, as in integrated gradients: then the mean over a uniform alpha bounds f(x) - f(b)",
        )

        deep_supervision: bool = Field(False, description="the loss at hidden layers too, those of the papers")
        hidden: tuple[str, ...] = Field((), description="the loss at these modules' outputs too")
        place_decay: float = Field(0.8, ge=0, le=1, description="[d] of the rank-weighted mean over places")

        every: int = Field(1, ge=1, description="heatmap loss in a random one of so many steps, weighted by it")
        fraction: float = Field(1.0, gt=0, le=1, description="heatmap loss on so large a random part of each batch")

        @model_validator(mode="after")
        def _bounds_fit(self) -> Self:
            count = max(len(spread(self.lower)), len(spread(self.upper)))
            lower, upper = spread(self.lower, count), spread(self.upper, count)
            if len(lower) != len(upper) or not all(low < high for low, high in zip(lower, upper, strict=True)):
                raise ValueError(f"each upper must exceed its lower, got lower {self.lower} and upper {self.upper}")
            return self

    settings: Settings
    needs = Needs(masks=True)

    @abstractmethod
    def explain(self, network: nn.Module, sample: Sample, rng: torch.Generator, create_graph: bool) -> Explained:
        """Runs the network and makes its heatmaps.

        Args:
            network: Images to logits, perhaps wrapped.
            sample: The batch.
            rng: CPU generator of all draws.
            create_graph: Whether the heatmaps are trained through.
        """

    @abstractmethod
    def where_not_finite(self, network: nn.Module, x: Tensor, target: Tensor) -> str | None:
        """The module at which the heatmap of one target an image first holds NaN or infinity."""

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        o = self.settings
        at = point(o.path, batch.image, batch.masks, rng, o.alpha, o.clean)
        training = network.training
        if training and o.every > 1 and float(torch.rand((), generator=rng)) * o.every >= 1:
            classification = cross_entropy(network(at.x), batch.label)
            return self.terms(classification, *[torch.zeros_like(classification)] * 3)
        rows, rest = part(len(batch.image), o.fraction if training else 1.0, rng)
        with torch.enable_grad():  # validation runs without gradients, but a heatmap is one
            sample = sample_of(at, batch, rows, o.relevance_of)
            explained = self.explain(network, sample, rng, create_graph=training)
        on_heatmap, l1, l2 = self.heatmap_terms(network, explained, sample)
        logits, label = explained.logits, sample.label
        if rest is not None:
            logits, label = torch.cat([logits, network(at.x[rest])]), torch.cat([label, batch.label[rest]])
        weight = o.every if training else 1
        return self.terms(cross_entropy(logits, label), on_heatmap * weight, l1 * weight, l2 * weight)

    def terms(self, classification: Tensor, on_heatmap: Tensor, l1: Tensor, l2: Tensor) -> Mapping[str, Tensor]:
        """The loss and what is logged of it; L1 and L2 are those of the image's maps."""
        share = self.settings.heatmap_share
        return {
            "loss": (1 - share) * classification + share * on_heatmap,
            "classification_loss": classification,
            "heatmap_loss": on_heatmap,
            "background_loss": l1,
            "foreground_loss": l2,
        }

    def hidden_layers(self, network: nn.Module) -> list[str]:
        """Names of the modules whose outputs are explained too."""
        o = self.settings
        return list(o.hidden) or (default_layers(unwrapped(network)) if o.deep_supervision else [])

    def heatmap_terms(self, network: nn.Module, explained: Explained, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """Heatmap loss over all places; L1 and L2 at the image."""
        o = self.settings
        self.require_finite(network, explained, sample.x)
        pairs = self.pairs(explained)
        means: list[HeatmapLoss] = []
        for place, heatmaps in explained.maps.items():
            mask = sample.mask if place == IMAGE else layer_mask(sample.mask, heatmaps[0], place)
            found = []
            for heatmap in heatmaps:
                low, high = pairs.pop(0)
                found.append(
                    heatmap_loss(
                        heatmap, mask, decay=o.decay, offset=o.offset, lower=low, upper=high, upper_term=o.upper_term
                    )
                )
            means.append(HeatmapLoss(*(torch.stack(terms).mean() for terms in zip(*found, strict=True))))
        places = [o.background_weight * mean.background + o.foreground_weight * mean.foreground for mean in means]
        return over_places(places, o.place_decay), *means[0]

    def pairs(self, explained: Explained) -> list[tuple[float, float]]:
        """``(C1, C2)`` of every map.

        Raises:
            BenchmarkError: If the settings have another number of them.
        """
        o, names = self.settings, [place for place, _ in explained.named()]
        lower, upper = spread(o.lower, len(names)), spread(o.upper, len(names))
        if not len(lower) == len(upper) == len(names):
            raise BenchmarkError(
                "bounds lower and upper of the heatmaps",
                got=f"{len(lower)} and {len(upper)}",
                expected=f"one, or {len(names)}: of the maps at {', '.join(names)}",
                do="Give one number for all, or run pipelines.tune_bounds with these very options.",
            )
        return list(zip(lower, upper, strict=True))

    def require_finite(self, network: nn.Module, explained: Explained, x: Tensor) -> None:
        """Stops at a heatmap that is not finite.

        Raises:
            BenchmarkError: Naming the layer where it began.
        """
        places, heatmaps = zip(*explained.named(), strict=True)
        finite = torch.stack([torch.isfinite(heatmap).all() for heatmap in heatmaps]).tolist()  # one read a step
        if all(finite):
            return
        bad = [place for place, fine in zip(places, finite, strict=True) if not fine]
        target = explained.target
        several = target.dim() == 2 and not target.is_floating_point()
        targets = list(target.unbind(1)) if several else [target]
        found = (self.where_not_finite(network, x.detach(), one) for one in targets)
        place = next((name for name in found if name), "a layer that a second pass does not show")
        raise BenchmarkError(
            f"the heatmap (of {', '.join(dict.fromkeys(bad))}) holds NaN or infinity",
            got=f"first at {place}, on the way from the logits to the image",
            do="Lower the learning rate, set clip_norm, or raise eps; if that layer is new to lrp, see lrp.check.",
        )

    def tune(self, network: nn.Module, batches: Iterable[Batch], rng: torch.Generator) -> dict[str, Any]:
        """Bounds ``C1`` and ``C2`` of every map, from the maps of a plain classifier (:mod:`isnet.tuning`).

        Args:
            network: The plain classifier, which is put into training mode: the loss, too, will see the maps of
                batch statistics. Its running statistics are of no use afterwards.
            batches: Training images, in batches of the size of the training, with masks.
            rng: CPU generator.

        Returns:
            ``maps``, the names of the places, and a list a key for ``lower``, ``upper``, ``mean`` and ``std``; the
            number of ``images``.

        Raises:
            ValueError: If the maps bound nothing.
        """
        o = self.settings
        network.train()
        totals: list[Running] = []
        names: list[str] = []
        for batch in batches:
            at = point(o.path, batch.image, batch.masks, rng, o.alpha, o.clean)
            with torch.enable_grad():
                sample = sample_of(at, batch, None, o.relevance_of)
                maps = self.explain(network, sample, rng, create_graph=False).named()
            names = [name for name, _ in maps]
            totals = totals or [Running() for _ in maps]
            for running, (_, heatmap) in zip(totals, maps, strict=True):
                running.add(map_total(heatmap))
        if not totals:
            raise BenchmarkError("images to tune the bounds on", got="none", expected="at least one full batch")
        found = [bounds(running) for running in totals]
        return {
            "maps": names,
            "lower": [low for low, _ in found],
            "upper": [high for _, high in found],
            "mean": [running.mean for running in totals],
            "std": [running.std for running in totals],
            "images": totals[0].count,
        }


def spread(values: float | tuple[float, ...], count: int = 1) -> tuple[float, ...]:
    """One number, ``count`` times; several stay as they are."""
    return values if isinstance(values, tuple) else (values,) * count
