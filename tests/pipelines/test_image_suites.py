"""The suites of images: one graph, one protocol, two profiles; dogs, faces and skin run for real on tiny archives."""

import csv
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from repository import ROOT

sys.path.append(str(ROOT / "tests/data"))  # the official layouts, as the converters' own tests make them
import test_celebamask
import test_isic
import test_stanford_dogs
from archives import tar, zipped
from ruamel.yaml import YAML

from benchmark import paths
from benchmark.config import Suite, load, load_method, read_yaml
from benchmark.seeding import torch_stream
from benchmark.training.data import Tensors
from benchmark.training.fit import build
from benchmark.training.seed import make_method, task_of
from pipelines import check, fetch, inject, pack, report, score, sources, train

PROFILES = {"tb": "tb_gpu", "covid": "covid_gpu"}
SUITES = ["mnist", "dogs", "faces", "skin", *PROFILES, *PROFILES.values()]
OF_THE_ISSUE = {"erm", "isnet", "isnet_path", "rrr", "gain", "unet_classifier", "bg_swap"}
OWN_NETWORK = {"vit", "isnet_vit", "ag_sononet"}
WITH_DATA = ["dogs", "faces", "skin"]


def methods_of(suite: str) -> list[str]:
    return list(load(Suite, ROOT / paths.SuitePaths(suite).params).matrix.method)


def settings_of(suite: str, method: str) -> dict:
    return load_method(ROOT / "pipelines" / suite / "methods" / f"{method}.yaml").model_dump()


# One graph, one protocol


@pytest.mark.parametrize("suite", SUITES)
def test_graphs_differ_in_the_first_line_and_the_name_only(suite: str) -> None:
    def body(name: str) -> str:
        first, _, rest = (ROOT / "pipelines" / name / "dvc.yaml").read_text(encoding="utf-8").partition("\n")
        assert first.startswith("# ") and f"`dvc repro pipelines/{name}/dvc.yaml`" in first
        assert rest.count(name) >= 1
        return rest.replace(f"suite: {name}\n", "suite: NAME\n")

    assert body(suite) == body("tb")


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_has_settings_of_its_methods_and_of_no_others(suite: str) -> None:
    files = {file.stem for file in (ROOT / "pipelines" / suite / "methods").glob("*.yaml")}
    assert files == set(methods_of(suite))
    assert files >= OF_THE_ISSUE


@pytest.mark.parametrize("suite", SUITES)
def test_methods_of_a_suite_share_network_optimizer_and_schedule(suite: str) -> None:
    trainings = {method: settings_of(suite, method)["training"] for method in methods_of(suite)}
    for method, training in trainings.items():
        expected = trainings["erm"] | ({"backbone": training["backbone"]} if method in OWN_NETWORK else {})
        assert training == expected, method


def test_strengths_are_the_same_in_every_suite() -> None:
    options = {}
    for suite in SUITES:
        for method in methods_of(suite):
            options.setdefault(method, []).append(settings_of(suite, method)["options"])
    assert all(one == found[0] for found in options.values() for one in found)


def test_the_suite_mnist_has_every_method_that_the_suite_of_all_methods_has() -> None:
    assert methods_of("mnist") == methods_of("methods")


@pytest.mark.parametrize(("processor", "gpu"), PROFILES.items())
def test_profiles_show_the_same_images_at_two_sizes(processor: str, gpu: str) -> None:
    small, large = (load(Suite, ROOT / paths.SuitePaths(name).params) for name in (processor, gpu))
    assert small.matrix.bias == large.matrix.bias
    assert (small.seeds, large.seeds) == ((0, 1, 2), (0, 1, 2))
    for one, other in zip(small.matrix.dataset, large.matrix.dataset, strict=True):
        shown, full = (read_yaml(ROOT / paths.dataset_yaml(name)) for name in (one, other))
        assert (shown.pop("size"), full.pop("size")) == (128, 224)
        assert shown == full


# The suites whose data is not here


def archives(suite: str) -> tuple[str, dict[str, bytes]]:
    """The data set and its files in their official layout."""
    if suite == "dogs":
        return "dogs3", {name: tar(files, "") for name, files in test_stanford_dogs.tiny(train=10, test=3).items()}
    if suite == "faces":
        return "celebamask", {
            "CelebAMask-HQ.zip": zipped(test_celebamask.tiny()),
            "identity_CelebA.txt": test_celebamask.people(),
        }
    return "isic", {**test_isic.tiny(), "PH2Dataset.zip": zipped(test_isic.ph2())}


def write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    YAML(typ="safe", pure=True).dump(content, path)


def make_project(suite: str, folder: Path) -> None:
    """The suite's own files, but for sizes, epochs, seeds and hashes; its archives on a mirror that is a folder."""
    own = ROOT / "pipelines" / suite
    dataset, files = archives(suite)
    content = read_yaml(ROOT / paths.dataset_yaml(dataset))
    for file in content["origin"]["files"]:
        file["sha256"] = "unknown"  # the published hashes are those of the real archives
        for key in ("md5", "size"):
            file.pop(key, None)
    write(folder / paths.dataset_yaml(dataset), content | {"size": 64})
    mirror = folder / "mirror" / dataset
    mirror.mkdir(parents=True)
    for name, archive in files.items():
        (mirror / name).write_bytes(archive)
    params = read_yaml(own / "params.yaml")
    for bias in params["matrix"]["bias"]:
        write(folder / paths.bias_yaml(bias), read_yaml(ROOT / paths.bias_yaml(bias)))
    params["matrix"]["method"] = ["erm", "isnet_path"]
    write(folder / "pipelines" / suite / "params.yaml", params | {"seeds": [0]})
    for method in params["matrix"]["method"]:
        settings = read_yaml(own / "methods" / f"{method}.yaml")
        settings["training"].update(backbone="test_resnet", epochs=1, batch_size=2)
        write(folder / "pipelines" / suite / "methods" / f"{method}.yaml", settings)
    write(
        folder / "pipelines" / suite / "scoring.yaml",
        {"explainers": {"integrated_gradients": {"images": 2}}, "behaviour": 0, "guards": 0},
    )
    claims = [claim for claim in read_yaml(own / "claims.yaml")["claims"] if claim["name"] == "mark_is_learnable"]
    write(folder / "pipelines" / suite / "claims.yaml", {"claims": claims})


@pytest.mark.parametrize("suite", WITH_DATA)
def test_a_suite_runs_from_official_archives_to_its_tables(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(suite, tmp_path)
    monkeypatch.chdir(tmp_path)
    cells = paths.SuitePaths(suite).suite().cells()
    for dataset in {cell.dataset for cell in cells}:
        fetch.fetch(Namespace(dataset=dataset, mirror=str(tmp_path / "mirror"), jobs=1, dry_run=False))
        pack.pack(Namespace(dataset=dataset))
    for dataset, bias in {(cell.dataset, cell.bias) for cell in cells}:
        inject.inject(Namespace(dataset=dataset, bias=bias, suite=suite))
    for cell in cells:
        asked = Namespace(cell=cell.key, suite=suite, dry_run=False, workers=1)
        train.train(asked)
        score.score(asked)
    for stage in (report.report, sources.sources):
        stage(Namespace(suite=suite))
    check.check(Namespace(suite=suite, record=False, strict=False))
    results = tmp_path / "results" / suite
    with (results / "sources.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["metric"] == "accuracy"]
    assert all(0 <= float(row["value"]) <= 1 for row in rows)
    variants = {"natural": {"iid", "external"}, "planted": {"iid", "ood", "deceiving"}}
    for cell in cells:
        found = {row["variant"] for row in rows if (row["bias"], row["method"]) == (cell.bias, cell.method)}
        assert found >= variants["natural" if cell.bias == "natural" else "planted"]
    with (results / "claims.csv").open() as stream:
        assert {row["verdict"] for row in csv.DictReader(stream)} <= {"pass", "fail"}
    assert "skipped" not in (results / "report.md").read_text()


# Networks at the size of the suites


def some_images(dataset: str, count: int = 4) -> Tensors:
    """Noise of the size of a data set, its middle the foreground."""
    content = read_yaml(ROOT / paths.dataset_yaml(dataset))
    side, channels = content.get("size", 28), content.get("channels", 1)
    rng = torch_stream(0, "images")
    image = torch.randint(0, 256, (count, channels, side, side), generator=rng, dtype=torch.uint8)
    mask = torch.zeros(count, 1, side, side, dtype=torch.uint8)
    mask[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    label = torch.arange(count) % 2
    return Tensors(image, mask, label, label.clone())


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_every_method_takes_a_step_on_the_network_that_its_settings_name(suite: str) -> None:
    images = some_images(paths.SuitePaths(suite).suite().matrix.dataset[0])
    for name in methods_of(suite):
        settings = settings_of(suite, name)
        method = make_method(settings["method"], settings["options"])
        network = build(method, task_of(images, settings["training"]["backbone"]), 0).train()
        phase = next(phase for phase in method.phases(2) if phase.epochs)
        loss = phase.loss(network, images.batch(slice(0, 2), method.needs), torch_stream(0, "method"))["loss"]
        loss.backward()
        assert torch.isfinite(loss), name
        assert any(weight.grad is not None for weight in network.parameters()), name
