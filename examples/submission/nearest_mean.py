"""A method from outside: which class's mean training image is nearest? Its "seeds" are halves of the training images.

``python nearest_mean.py data/biased/<task>/pack.h5 mine.csv`` reads a biased pack (HDF5: a group a subset, columns
``image``, ``label`` and ``id``) and writes ``id,variant,seed,logit_0,...`` for every test image.
"""

from __future__ import annotations

import csv
import sys

import h5py
import numpy as np

SEEDS = (0, 1, 2)


def columns(pack, subset):
    """Flat images in [0, 1], labels and names of a subset."""
    group = pack[subset]
    image = np.asarray(group["image"]).reshape(len(group["label"]), -1) / 255
    return image, np.asarray(group["label"]), [name.decode() for name in group["id"]]


def class_means(image, label, seed):
    """``[K, pixels]`` of a random half of the images."""
    rng = np.random.default_rng(seed)
    chosen = rng.random(len(label)) < 0.5
    return np.stack([image[chosen & (label == k)].mean(0) for k in range(label.max() + 1)])


def main(source, target):
    """Trains, predicts and writes."""
    with h5py.File(source) as pack, open(target, "w", newline="") as stream:  # noqa: PTH123
        image, label, _ = columns(pack, "train")
        writer = csv.writer(stream)
        writer.writerow(["id", "variant", "seed", *(f"logit_{k}" for k in range(label.max() + 1))])
        for seed in SEEDS:
            means = class_means(image, label, seed)
            for variant in ("iid", "ood", "deceiving", "external"):
                if variant in pack:
                    shown, _, names = columns(pack, variant)
                    logits = -((shown[:, None] - means) ** 2).sum(-1)
                    writer.writerows(
                        [name, variant, seed, *map("{:.6g}".format, row)]
                        for name, row in zip(names, logits, strict=True)
                    )


if __name__ == "__main__":
    main(*sys.argv[1:])
