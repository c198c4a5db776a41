from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmark.api import VARIANTS, Images, Task
from benchmark.backbone import create_classifier
from benchmark.biases.corner import Corner
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.files import write_json
from benchmark.inject import inject
from benchmark.metrics.named import metric_named
from benchmark.predictions import COLUMNS, Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.registry import EXPLAINERS
from benchmark.scoring import (
    EXPLAINER_SUFFIX,
    JUDGE,
    SUBSET,
    GivenMask,
    UnknownOperation,
    choose_subset,
    heatmaps,
    heatmaps_if_defined,
    image_scores,
    load_model,
    merge,
    score_cell,
    to_tensor,
    write_arrays,
)
from benchmark.training.job import RECORD
from benchmark.training.seed import PREDICTIONS, WEIGHTS

CLASSES, SIDE = 3, 28


# --- which images are attributed --------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 7, 99, 100, 101, 1000])
def test_the_subset_is_sorted_distinct_and_in_range(images):
    rows = choose_subset(images)
    assert rows.dtype == np.int64
    assert len(rows) == min(images, SUBSET)
    assert (np.diff(rows) > 0).all()
    assert rows[0] >= 0
    assert rows[-1] < images


def test_the_subset_is_the_same_every_time_and_stays_what_it_was():
    assert choose_subset(1000).tolist() == choose_subset(1000).tolist()
    # fixed for ever: another subset would make heatmap scores of two versions incomparable
    assert choose_subset(1000)[:6].tolist() == [3, 69, 70, 72, 85, 87]
    assert choose_subset(10, 3).tolist() == [4, 7, 9]


def test_every_image_may_be_chosen():
    counts = Counter(row for images in range(20, 60) for row in (choose_subset(images, 10) * 2 // images).tolist())
    # 400 draws, half of them from each half: standard deviation below 10
    assert abs(counts[0] - counts[1]) < 100


# --- seeds of a cell --------------------------------------------------------------------------------


def predictions(seed, ids=("a", "b", "c"), variants=("iid", "ood"), loss=None, elsewhere=()):
    """Of a seed; with names ``elsewhere`` these are the images of a variant ``external``."""
    rng = np.random.default_rng(seed)
    names = dict.fromkeys(variants, ids) | ({"external": elsewhere} if elsewhere else {})
    return Predictions(
        seeds=np.array([seed]),
        tested={v: Shown(n, n, ["made"] * len(n), np.arange(len(n)) % CLASSES) for v, n in names.items()},
        logits={v: rng.normal(size=(1, len(n), CLASSES)) for v, n in names.items()},
        heatmap_loss=None if loss is None else np.array([loss]),
        attributes={"strata": "label"},
    )


def test_seeds_are_stacked_in_order():
    parts = [predictions(seed) for seed in (4, 0, 2)]
    merged = merge(parts)
    assert merged.seeds.tolist() == [4, 0, 2]
    assert merged.tested["ood"].id.tolist() == ["a", "b", "c"]
    assert merged.attributes == {"strata": "label"}
    for name in ("iid", "ood"):
        assert merged.logits[name].shape == (3, 3, CLASSES)
        for part, logits in zip(parts, merged.logits[name], strict=True):
            assert np.array_equal(part.logits[name][0], logits)


def test_heatmap_losses_are_kept_when_every_seed_has_one():
    assert merge([predictions(0, loss=0.5), predictions(1, loss=0.25)]).heatmap_loss.tolist() == [0.5, 0.25]
    assert merge([predictions(0), predictions(1)]).heatmap_loss is None
    assert merge([predictions(0, loss=0.5), predictions(1)]).heatmap_loss is None


@pytest.mark.parametrize("other", [{"ids": ("a", "b", "d")}, {"ids": ("b", "a", "c")}, {"ids": ("a", "b")}])
def test_seeds_that_saw_other_images_are_refused(other):
    with pytest.raises(BenchmarkError, match=r"different images; got 'seeds \[0\] and \[1\]'.*dvc repro"):
        merge([predictions(0), predictions(1, **other)])


def test_seeds_that_saw_other_variants_are_refused():
    with pytest.raises(BenchmarkError, match="different images"):
        merge([predictions(0), predictions(1, variants=("iid",))])


def test_seeds_that_saw_other_external_images_are_refused():
    first = predictions(0, elsewhere=("x", "y"))
    assert merge([first, predictions(1, elsewhere=("x", "y"))]).logits["external"].shape == (2, 2, CLASSES)
    with pytest.raises(BenchmarkError, match="different images"):
        merge([first, predictions(1, elsewhere=("x", "z"))])


def test_a_seed_given_twice_is_refused():
    with pytest.raises(BenchmarkError, match="seeds holds a value twice; got 3"):
        merge([predictions(3), predictions(3)])


# --- heatmaps ---------------------------------------------------------------------------------------


def test_images_of_a_pack_become_what_a_model_takes():
    image = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3) * 10
    tensor = to_tensor(image)
    assert tensor.shape == (1, 3, 2, 4)
    assert tensor.dtype == torch.float32
    assert tensor[0, 2, 1, 3].item() == pytest.approx(image[0, 1, 3, 2] / 255)
    assert to_tensor(np.full((1, 1, 1, 1), 255, np.uint8)).item() == 1


def test_relevance_keeps_its_sign_and_is_summed_over_channels():
    # a linear model: the relevance of pixel i is w_i x_i; the channels weigh +3 and -1
    model = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.Flatten())
    model[0].weight.data = torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1)
    image = torch.tensor([[1.0, 0.0], [0.5, 2.0]]).reshape(1, 2, 1, 2)
    (found,) = heatmaps(JUDGE, model, image, torch.tensor([1]))
    # logit 1 is pixel 1: 3 * 0 - 2
    np.testing.assert_allclose(found, [[0, -2]], atol=1e-6)
    (found,) = heatmaps(JUDGE, model, image, torch.tensor([0]))
    np.testing.assert_allclose(found, [[3 - 0.5, 0]], atol=1e-6)


class Pooled(nn.Module):
    """Ends in an operation that LRP has no rule for."""

    def forward(self, x):
        return torch.stack([x.flatten(1).logsumexp(1), -x.flatten(1).logsumexp(1)], 1)


def test_a_model_that_an_explainer_does_not_know_has_no_maps_and_its_scores_are_not_defined():
    image, target = torch.rand(2, 1, 4, 4), torch.tensor([0, 1])
    with pytest.raises(UnknownOperation, match="lrp_epsilon does not know an operation of the model; got"):
        heatmaps("lrp_epsilon", Pooled(), image, target)
    assert heatmaps_if_defined("lrp_epsilon", Pooled(), image, target) is None
    found = heatmaps(JUDGE, Pooled(), image, target)
    assert found.shape == (2, 4, 4)
    assert np.array_equal(heatmaps_if_defined(JUDGE, Pooled(), image, target), found)
    metric, mask = metric_named("background_relevance_mass"), np.zeros((2, 4, 4), np.uint8)
    assert np.isnan(image_scores(metric, None, mask)).tolist() == [True, True]


def test_masks_of_an_oracle_go_with_their_images_however_often_an_explainer_stacks_them():
    class Oracle(nn.Module):
        def forward(self, image, mask):
            inside = (image * mask).sum((1, 2, 3))
            return torch.stack([inside, -inside], 1)

    image, mask = torch.rand(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    for row in range(3):
        mask[row, 0, row] = 1
    given = GivenMask(Oracle(), mask)
    torch.testing.assert_close(given(torch.cat([image, 2 * image])), torch.cat([given(image), 2 * given(image)]))
    found = heatmaps(JUDGE, given, image, torch.zeros(3, dtype=torch.int64))
    np.testing.assert_allclose(found, (image * mask)[:, 0].numpy(), atol=1e-5)


def test_every_explainer_of_the_tables_is_registered_and_gives_a_metric_its_name():
    assert EXPLAINER_SUFFIX[JUDGE] == ""
    for name, suffix in EXPLAINER_SUFFIX.items():
        assert name in EXPLAINERS
        assert metric_named("background_relevance_mass" + suffix).family == "attribution"


# --- a whole cell -----------------------------------------------------------------------------------


def make_images(count):
    rng = np.random.default_rng(0)
    image = np.zeros((count, SIDE, SIDE, 1), np.uint8)
    image[:, 8:20, 8:20] = rng.integers(50, 256, (count, 12, 12, 1))
    ids = np.array([f"image_{row:02d}" for row in range(count)])
    split = np.array(["train", "val", "test", "test", "external"])[np.arange(count) % 5]
    mask = (image[..., 0] > 0).astype(np.uint8)
    return Images(
        image=image,
        mask=mask,
        mask_kind=np.full(count, "made"),
        label=np.arange(count) // 5 % CLASSES,
        unit=ids,
        source=np.where(split == "external", "there", "here"),
        split=split,
        id=ids,
    )


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """Subsets, their pack, and the folders of two untrained seeds."""
    folder = tmp_path_factory.mktemp("cell")
    subsets = inject(make_images(60), Corner(Corner.Settings(version=1)))
    write_columns(folder / "pack.h5", {name: subset.columns() for name, subset in subsets.items()}, {})
    task = Task("test_resnet", CLASSES, 1, SIDE, SIDE)
    runs = []
    for seed in (0, 1):
        runs.append(folder / f"seed-{seed}")
        runs[-1].mkdir()
        torch.manual_seed(seed)
        network = create_classifier(task).eval()
        save_file(network.state_dict(), runs[-1] / WEIGHTS)
        write_json(runs[-1] / RECORD, {"task": vars(task)})
        shown = {name: subsets[name].images for name in VARIANTS}
        with torch.no_grad():
            logits = {name: network(to_tensor(images.image)).numpy()[None] for name, images in shown.items()}
        tested = {name: Shown(**{key: getattr(images, key) for key in COLUMNS}) for name, images in shown.items()}
        Predictions(seeds=np.array([seed]), tested=tested, logits=logits).write(runs[-1] / PREDICTIONS)
    return subsets, folder / "pack.h5", runs


@pytest.fixture(scope="module")
def scored(cell):
    _, pack, runs = cell
    return score_cell(runs, pack, "erm", {})


def test_a_stored_model_says_what_its_predictions_say(cell):
    subsets, _, runs = cell
    model = load_model(runs[1], "erm", {})
    assert not model.training
    with torch.no_grad():
        logits = model(to_tensor(subsets["ood"].images.image)).numpy()
    np.testing.assert_allclose(logits, Predictions.read(runs[1] / PREDICTIONS).logits["ood"][0], atol=1e-5)


def test_the_predictions_are_those_of_all_seeds(cell, scored):
    stored, _ = scored
    subsets = cell[0]
    assert stored.seeds.tolist() == [0, 1]
    for name in VARIANTS:
        assert stored.tested[name].id.tolist() == subsets[name].images.id.tolist()
    assert stored.subset["deceiving"].tolist() == list(range(24))
    assert stored.subset["external"].tolist() == list(range(12))
    assert set(stored.tested["external"].source) == {"there"}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("explainer", EXPLAINER_SUFFIX)
def test_a_heatmap_score_is_the_backgrounds_share_of_the_labels_map(cell, scored, variant, explainer):
    subsets, _, runs = cell
    stored, _ = scored
    images = subsets[variant].images
    found = stored.image_scores["background_relevance_mass" + EXPLAINER_SUFFIX[explainer], variant]
    assert found.shape == (2, len(images))
    for seed, run in enumerate(runs):
        for row in (0, 10, len(images) - 1):
            image, target = to_tensor(images.image[row : row + 1]), torch.tensor([int(images.label[row])])
            relevance = EXPLAINERS.get(explainer)(load_model(run, "erm", {}), image, target)
            size = relevance.detach().sum(1)[0].abs().double().numpy()
            expected = size[images.mask[row] == 0].sum() / size.sum()
            assert found[seed, row] == pytest.approx(expected, rel=1e-3)


def test_seeds_attributed_side_by_side_get_the_same_scores(cell, scored):
    _, pack, runs = cell
    stored, gallery = score_cell(runs, pack, "erm", {}, workers=2)
    assert stored.image_scores.keys() == scored[0].image_scores.keys()
    for key, values in stored.image_scores.items():
        assert np.array_equal(values, scored[0].image_scores[key], equal_nan=True)
    assert all(np.array_equal(gallery[name], values) for name, values in scored[1].items())


def test_a_pack_with_other_images_is_refused(cell, tmp_path):
    subsets, _, runs = cell
    backwards = {name: subset.columns() for name, subset in subsets.items()}
    backwards["ood"] = {name: values[::-1] for name, values in backwards["ood"].items()}
    write_columns(tmp_path / "other.h5", backwards, {})
    with pytest.raises(BenchmarkError, match=r"group 'ood' of .*other\.h5 holds other images.*dvc repro"):
        score_cell(runs[:1], tmp_path / "other.h5", "erm", {})


def test_the_gallery_shows_the_first_iid_image_of_each_class_with_the_first_seeds_maps(cell, scored, tmp_path):
    subsets, _, runs = cell
    stored, gallery = scored
    iid = subsets["iid"].images
    first = [iid.label.tolist().index(k) for k in range(CLASSES)]
    assert gallery["label"].tolist() == [0, 1, 2]
    assert gallery["id"].tolist() == iid.id[first].tolist()
    assert np.array_equal(gallery["image"], iid.image[first])
    assert np.array_equal(gallery["mask"], iid.mask[first])
    assert gallery["prediction"].tolist() == stored.logits["iid"][0, first].argmax(-1).tolist()
    assert gallery["variant"].tolist() == ["iid"] * CLASSES
    model = load_model(runs[0], "erm", {})
    for name in EXPLAINER_SUFFIX:
        expected = heatmaps(name, model, to_tensor(iid.image[first]), torch.arange(CLASSES))
        np.testing.assert_allclose(gallery[f"heatmap/{name}"], expected, rtol=2e-3, atol=1e-4)
    write_arrays(tmp_path / "gallery.npz", gallery)
    with np.load(tmp_path / "gallery.npz", allow_pickle=False) as again:
        assert set(again) == set(gallery)
        assert all(np.array_equal(again[name], gallery[name]) for name in gallery)
