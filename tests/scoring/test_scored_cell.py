import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmark.api import VARIANTS, Images, Task
from benchmark.backbone import create_classifier
from benchmark.biases.corner import Corner
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.files import write_json
from benchmark.inject import inject
from benchmark.metrics.named import registered_metrics
from benchmark.predictions import COLUMNS, Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.registry import EXPLAINERS
from benchmark.scoring import cell as whole
from benchmark.scoring import parts
from benchmark.scoring.cell import score_cell
from benchmark.scoring.gallery import write_arrays
from benchmark.scoring.models import heatmaps, load_model, to_tensor
from benchmark.scoring.settings import HEADLINE, Explaining, Scoring, suffix
from benchmark.scoring.subset import choose_subset
from benchmark.training.job import RECORD
from benchmark.training.seed import PREDICTIONS, WEIGHTS, make_method

EVERYTHING = Scoring(
    explainers={
        "integrated_gradients": Explaining(images=10, metrics="all"),
        "lrp_epsilon": Explaining(images=10, metrics="all"),
        "grad_cam": Explaining(images=6, variants=("iid", "deceiving")),
        "attention_rollout": Explaining(images=6, variants=("iid",)),
        "edges": Explaining(images=6, variants=("iid",)),
    },
    behaviour=20,
    guards=4,
)
CLASSES, SIDE = 3, 28


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
    dials = Corner.Settings(version=1).model_dump_json()
    write_columns(
        folder / "pack.h5", {name: subset.columns() for name, subset in subsets.items()}, {"bias_settings": dials}
    )
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


@pytest.fixture(scope="module")
def everything(cell):
    _, pack, runs = cell
    return score_cell(runs, pack, "erm", {}, EVERYTHING)


def test_a_stored_model_says_what_its_predictions_say(cell):
    subsets, _, runs = cell
    model = load_model(runs[1], "erm", {})
    assert not model.training
    with torch.no_grad():
        logits = model(to_tensor(subsets["ood"].images.image)).numpy()
    np.testing.assert_allclose(logits, Predictions.read(runs[1] / PREDICTIONS).logits["ood"][0], atol=1e-5)


def test_the_predictions_are_those_of_all_seeds(cell, scored):
    stored = scored.predictions
    subsets = cell[0]
    assert stored.seeds.tolist() == [0, 1]
    for name in VARIANTS:
        assert stored.tested[name].id.tolist() == subsets[name].images.id.tolist()
    assert stored.subset["deceiving"].tolist() == list(range(24))
    assert stored.subset["external"].tolist() == list(range(12))
    assert set(stored.tested["external"].source) == {"there"}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("explainer", HEADLINE.explainers)
def test_a_heatmap_score_is_the_backgrounds_share_of_the_labels_map(cell, scored, variant, explainer):
    subsets, _, runs = cell
    stored = scored.predictions
    images = subsets[variant].images
    found = stored.image_scores["background_relevance_mass" + suffix(explainer), variant]
    assert found.shape == (2, len(images))
    for seed, run in enumerate(runs):
        for row in (0, 10, len(images) - 1):
            image, target = to_tensor(images.image[row : row + 1]), torch.tensor([int(images.label[row])])
            relevance = EXPLAINERS.get(explainer)(load_model(run, "erm", {}), image, target)
            size = relevance.detach().sum(1)[0].abs().double().numpy()
            expected = size[images.mask[row] == 0].sum() / size.sum()
            assert found[seed, row] == pytest.approx(expected, rel=1e-3, abs=2**-15)


def test_parts_answered_side_by_side_give_the_same_numbers(cell, everything):
    _, pack, runs = cell
    again = score_cell(runs, pack, "erm", {}, EVERYTHING, workers=2)
    stored = everything.predictions
    assert again.predictions.image_scores.keys() == stored.image_scores.keys()
    for key, values in again.predictions.image_scores.items():
        assert np.array_equal(values, stored.image_scores[key], equal_nan=True), key
    assert all(np.array_equal(again.gallery[name], values) for name, values in everything.gallery.items())
    assert again.predictions.attributes == stored.attributes


def test_every_family_is_there_on_as_many_images_as_were_asked_for(everything):
    scores = everything.predictions.image_scores
    heat = {metric.name for metric in registered_metrics("attribution")}
    assert {name for name, variant in scores if variant == "iid" and name in heat} == heat
    assert {variant for name, variant in scores if name == "background_relevance_mass_grad_cam"} == {"iid", "deceiving"}
    assert "pointing_game_grad_cam" in {name for name, _ in scores}
    assert "iou_top_area_grad_cam" not in {name for name, _ in scores}  # not on the short list
    counts = {key: int((~np.isnan(values)).sum(1).min()) for key, values in scores.items()}
    assert counts["background_relevance_mass", "iid"] == 10
    assert counts["background_relevance_mass_grad_cam", "iid"] <= 6
    assert counts["background_relevance_mass_edges", "iid"] == 6
    assert counts["faithfulness_lrp", "iid"] == 4
    assert counts["only_background_accuracy", "iid"] == 20
    assert counts["injection_gap", "deceiving"] == 20


def test_an_explainer_that_does_not_fit_says_why_and_has_no_value(everything):
    assert set(everything.not_defined) == {"attention_rollout"}
    assert everything.not_defined["attention_rollout"]
    values = everything.predictions.image_scores["background_relevance_mass_attention_rollout", "iid"]
    assert np.isnan(values).all()


def test_edges_do_not_depend_on_the_weights(everything):
    values = everything.predictions.image_scores["randomisation_edges", "iid"]
    assert np.nanmin(values) == 1


def test_a_worker_that_is_killed_ends_in_one_error(cell, monkeypatch):
    _, pack, runs = cell
    monkeypatch.setattr(whole, "answer", lambda work, part: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(BenchmarkError, match="a process that scored a model was killed"):
        score_cell(runs, pack, "erm", {}, workers=2)


def with_masks_at_test(subsets, folder):
    """The folder of an untrained seed of `mask_input`, with its predictions."""
    task, run = Task("test_resnet", CLASSES, 1, SIDE, SIDE), folder / "seed-0"
    run.mkdir()
    torch.manual_seed(3)
    save_file(make_method("mask_input", {}).build(task).state_dict(), run / WEIGHTS)
    write_json(run / RECORD, {"task": vars(task)})
    shown = {name: subsets[name].images for name in ("iid", "ood", "deceiving")}
    model = load_model(run, "mask_input", {})
    with torch.no_grad():
        logits = {
            name: model(to_tensor(images.image), torch.from_numpy(images.mask)[:, None].float()).numpy()[None]
            for name, images in shown.items()
        }
    tested = {name: Shown(**{key: getattr(images, key) for key in COLUMNS}) for name, images in shown.items()}
    Predictions(seeds=np.array([0]), tested=tested, logits=logits).write(run / PREDICTIONS)
    return run


def test_a_model_with_masks_at_test_is_judged_with_predicted_ones(cell, tmp_path, monkeypatch):
    subsets, pack, _ = cell
    run = with_masks_at_test(subsets, tmp_path)
    model = load_model(run, "mask_input", {})
    few = Scoring(explainers={"integrated_gradients": Explaining(images=4)}, behaviour=12, guards=0)
    scores = score_cell([run], pack, "mask_input", {}, few).predictions.image_scores
    for variant in ("iid", "ood", "deceiving"):
        assert set(np.unique(scores["predicted_mask_accuracy", variant])) <= {0, 1, np.nan}
        assert (~np.isnan(scores["predicted_mask_accuracy", variant])).sum() == 12
    # a segmenter that finds nothing: the model sees black images, in its heatmaps and in its behaviour
    monkeypatch.setattr(whole, "predicted_masks", lambda pack: lambda image, mask: np.zeros_like(mask))
    blind = score_cell([run], pack, "mask_input", {}, few).predictions.image_scores
    with torch.no_grad():
        black = torch.zeros(1, 1, SIDE, SIDE)
        answer = int(model(black, black).argmax())
    rows = choose_subset(len(subsets["iid"].images), few.images)
    expected = subsets["iid"].images.label[rows] == answer
    assert np.array_equal(blind["predicted_mask_accuracy", "iid"][0], expected.astype(float))
    assert np.isnan(blind["background_relevance_mass", "iid"]).all()  # no relevance where nothing is seen
    assert not np.isnan(scores["background_relevance_mass", "iid"]).all()
    assert ("predicted_mask_accuracy", "iid") not in score_cell(cell[2], pack, "erm", {}, few).predictions.image_scores


def test_the_worst_group_of_a_model_with_masks_at_test_is_chosen_with_true_masks(cell, tmp_path, monkeypatch):
    subsets, pack, _ = cell
    run = with_masks_at_test(subsets, tmp_path)
    few = Scoring(explainers={"integrated_gradients": Explaining(images=4)}, behaviour=0, guards=0)
    seen = []
    monkeypatch.setattr(whole, "predicted_masks", lambda pack: lambda image, mask: np.zeros_like(mask))
    monkeypatch.setattr(parts, "is_right", lambda validation, predict: seen.append((validation, predict)))
    score_cell([run], pack, "mask_input", {}, few)
    [(validation, predict)] = seen
    model = load_model(run, "mask_input", {})
    with torch.no_grad():
        expected = model(to_tensor(validation.image), torch.from_numpy(validation.mask)[:, None].float()).numpy()
    np.testing.assert_allclose(predict(validation.image, validation.mask), expected, atol=1e-5)


def test_a_logit_that_is_not_finite_is_no_answer_with_predicted_masks(cell, tmp_path, monkeypatch):
    subsets, pack, _ = cell
    run = with_masks_at_test(subsets, tmp_path)
    few = Scoring(explainers={"integrated_gradients": Explaining(images=4)}, behaviour=12, guards=0)
    work, _ = whole.prepared([run], pack, "mask_input", {}, few)

    def silent_on_the_third(image, mask):
        said = torch.zeros(len(image), CLASSES)
        said[2, 1] = torch.nan
        return said

    silent = SimpleNamespace(**vars(work), model=lambda seed: silent_on_the_third, few=work.few, spread=work.spread)
    monkeypatch.setattr(parts, "featurizer", lambda model, given: None)
    found = parts.behaved(silent, parts.Part(0, "behaviour")).scores["predicted_mask_accuracy", "ood"]
    assert np.isnan(found).sum() == 1


def test_every_seed_is_compared_with_random_weights_of_its_own(cell, tmp_path):
    _, pack, runs = cell
    twin = shutil.copytree(runs[1], tmp_path / "seed-1")
    shutil.copy(runs[0] / WEIGHTS, twin / WEIGHTS)
    few = Scoring(explainers={"integrated_gradients": Explaining(images=4)}, behaviour=0, guards=4)
    scores = score_cell([runs[0], twin], pack, "erm", {}, few).predictions.image_scores
    first, second = scores["background_relevance_mass", "iid"]
    assert np.array_equal(first, second)  # the same model twice
    first, second = scores["randomisation_integrated_gradients", "iid"]
    assert not np.array_equal(first, second, equal_nan=True)


def test_the_gallery_pairs_images_with_maps_where_explainers_look_at_different_numbers_of_them(cell):
    subsets, pack, runs = cell
    explainers = {"integrated_gradients": Explaining(images=24), "lrp_epsilon": Explaining(images=9)}
    gallery = score_cell(runs[:1], pack, "erm", {}, Scoring(explainers=explainers, behaviour=0, guards=0)).gallery
    iid = subsets["iid"].images
    rows = [iid.id.tolist().index(name) for name in gallery["id"]]
    assert set(rows) <= set(choose_subset(len(iid), 9).tolist())
    model = load_model(runs[0], "erm", {})
    for name in explainers:
        expected = heatmaps(name, model, to_tensor(iid.image[rows]), torch.from_numpy(iid.label[rows]))
        np.testing.assert_allclose(gallery[f"heatmap/{name}"], expected, rtol=2e-3, atol=1e-4)


def test_a_pack_with_other_images_is_refused(cell, tmp_path):
    subsets, _, runs = cell
    backwards = {name: subset.columns() for name, subset in subsets.items()}
    backwards["ood"] = {name: values[::-1] for name, values in backwards["ood"].items()}
    write_columns(tmp_path / "other.h5", backwards, {})
    with pytest.raises(BenchmarkError, match=r"group 'ood' of .*other\.h5 holds other images.*dvc repro"):
        score_cell(runs[:1], tmp_path / "other.h5", "erm", {})


def test_the_gallery_shows_the_first_iid_image_of_each_class_with_the_first_seeds_maps(cell, scored, tmp_path):
    subsets, _, runs = cell
    stored, gallery = scored.predictions, scored.gallery
    iid = subsets["iid"].images
    first = [iid.label.tolist().index(k) for k in range(CLASSES)]
    assert gallery["label"].tolist() == [0, 1, 2]
    assert gallery["id"].tolist() == iid.id[first].tolist()
    assert np.array_equal(gallery["image"], iid.image[first])
    assert np.array_equal(gallery["mask"], iid.mask[first])
    assert gallery["prediction"].tolist() == stored.logits["iid"][0, first].argmax(-1).tolist()
    assert gallery["variant"].tolist() == ["iid"] * CLASSES
    model = load_model(runs[0], "erm", {})
    for name in HEADLINE.explainers:
        expected = heatmaps(name, model, to_tensor(iid.image[first]), torch.arange(CLASSES))
        np.testing.assert_allclose(gallery[f"heatmap/{name}"], expected, rtol=2e-3, atol=1e-4)
    write_arrays(tmp_path / "gallery.npz", gallery)
    with np.load(tmp_path / "gallery.npz", allow_pickle=False) as again:
        assert set(again) == set(gallery)
        assert all(np.array_equal(again[name], gallery[name]) for name in gallery)
