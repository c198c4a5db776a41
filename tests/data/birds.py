"""A tiny archive of the layout of CUB-200-2011: six species, images of 8 x 8 with a known segmentation."""

import numpy as np
from archives import plain, png

SPECIES = {
    1: "001.Black_footed_Albatross",
    16: "016.Painted_Bunting",
    21: "021.Eastern_Towhee",
    106: "106.Horned_Puffin",
    86: "086.Pacific_Loon",
    146: "146.Forsters_Tern",
}
AGREED = np.zeros((8, 8), np.uint8)
AGREED[2:6, 3:7] = 255
AGREED[2, 3] = 127  # fewer than half of the annotators
AGREED[5, 6] = 128
BIRD = AGREED > 127


def image_name(home: str, n: int) -> str:
    return f"{home}/{home.partition('.')[2]}_{n:04d}"


def tiny_birds(train: int = 10, test: int = 4) -> dict[str, dict[str, bytes]]:
    """The two archives' files: the first ``train`` images of a species are for training; red tells the place."""
    every = [(k, image_name(home, n), n < train) for k, home in SPECIES.items() for n in range(train + test)]
    root = "CUB_200_2011"
    lists = {
        "classes.txt": [f"{k} {home}" for k, home in SPECIES.items()],
        "images.txt": [f"{number} {name}.jpg" for number, (_, name, _) in enumerate(every, 1)],
        "image_class_labels.txt": [f"{number} {k}" for number, (k, _, _) in enumerate(every, 1)],
        "train_test_split.txt": [f"{number} {int(trained)}" for number, (_, _, trained) in enumerate(every, 1)],
    }
    texts = {f"{root}/{name}": ("\n".join(lines) + "\n").encode() for name, lines in lists.items()}
    images = {f"{root}/images/{name}.jpg": plain((place % 256, 0, 77)) for place, (_, name, _) in enumerate(every)}
    stray = {
        f"{root}/images/{image_name(SPECIES[1], 1)}_rgb.jpg": b"in no list",
        "attributes.txt": b"1 has_bill_shape\n",
    }
    masks = {f"segmentations/{name}.png": png(AGREED) for _, name, _ in every}
    return {"CUB_200_2011.tgz": {**texts, **images, **stray}, "segmentations.tgz": masks}
