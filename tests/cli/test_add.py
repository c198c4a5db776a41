import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmark import paths
from benchmark.api import Dataset, Index, Options, PlantedBias
from benchmark.cli import add
from benchmark.cli.main import main
from benchmark.config import load, load_method, parse
from benchmark.errors import BenchmarkError
from benchmark.registry import BIASES, DATASETS, METHODS, Entry, Registry

ROOT = Path(__file__).resolve().parents[2]
PARAMS = """\
# The suite.
matrix:
  dataset: [mnist5k]   # digits
  bias: [corner]
  method: [erm, 'isnet']  # the two

# Each with all of these:
seeds: [0, 1, 2]
"""
ERM = """\
version: 3
training:
  backbone: test_resnet
  epochs: 7  # of all
  batch_size: 32
  optimizer: {name: sgd, lr: 0.05}
options: {}
"""


class Texture(PlantedBias):
    """A made bias, with one setting that somebody has to choose."""

    class Settings(PlantedBias.Settings):
        period_px: int
        tones: tuple[float, ...] = (0.25, 0.5)

    source = "a test"

    def plant(self, image, mask, code, codes, draws):  # type: ignore[no-untyped-def]
        raise NotImplementedError


class Nothing(Dataset):
    """A made data set without settings."""

    class Settings(Options):
        pass

    source = "a test"

    def fetch(self, folder: Path) -> None:
        raise NotImplementedError

    def index(self, folder: Path) -> Index:
        raise NotImplementedError

    def pixels(self, folder, index, rows):  # type: ignore[no-untyped-def]
        raise NotImplementedError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one suite in its root and one in a folder, and no settings but those of erm."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "pipelines" / "other").mkdir(parents=True)
    block = "matrix:\n    dataset: [mnist5k]\n    bias: [corner]\n    method:\n        - erm  # plain\n"
    block += "\n# end\nseeds: [0]\n"
    (tmp_path / "pipelines" / "other" / "params.yaml").write_text(block)
    methods = tmp_path / "pipelines" / "configs" / "methods"
    methods.mkdir(parents=True)
    (methods / "erm.yaml").write_text(ERM)
    return tmp_path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made bias and data set, registered."""
    for registry, name, kind in ((BIASES, "texture", Texture), (DATASETS, "nothing", Nothing)):
        table = {**registry.table(), name: Entry(name, f"{__name__}:{kind.__name__}", "tests 1")}
        monkeypatch.setattr(registry, "_table", table)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS.table()[name].origin == "built-in"])
def test_every_method_of_ours_gets_a_file_that_loads_and_holds_its_defaults(name: str, project: Path) -> None:
    (project / "pipelines/configs/methods/erm.yaml").unlink()
    assert main(["add", name, "--suite", "other"]) == 0
    file = load_method(paths.SuitePaths("other").method_yaml(name))
    model = METHODS.get(name).Settings
    assert file.version == 1
    assert parse(model, file.options, name) == model()
    assert set(file.options) == set(model.model_fields)


def test_the_training_is_that_of_erm_comments_and_all(project: Path) -> None:
    assert main(["add", "rrr"]) == 0
    text = (project / "pipelines/configs/methods/rrr.yaml").read_text()
    assert ERM.partition("training:")[2].partition("options:")[0] in text
    assert load_method(project / "pipelines/configs/methods/rrr.yaml").training.epochs == 7


def test_every_option_is_explained_by_a_comment(project: Path) -> None:
    main(["add", "rrr"])
    lines = (project / "pipelines/configs/methods/rrr.yaml").read_text().splitlines()
    assert lines[0] == "# rrr, from built-in. Written by `python -m benchmark add rrr`."
    start = lines.index("options:")
    assert lines[start + 1 : start + 5] == [
        "  # [lambda]",
        "  penalty_weight: 0.001",
        "  # of batch norm, in the penalty; one of batch, constant",
        "  statistics: batch",
    ]


def test_the_name_is_appended_and_nothing_else_of_the_file_changes(project: Path) -> None:
    main(["add", "rrr"])
    assert (project / "params.yaml").read_text() == PARAMS.replace("'isnet']", "'isnet', rrr]")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[erm]", "[erm, rrr]"),
        ("[ erm , ]  # c", "[ erm, rrr , ]  # c"),
        ('[erm, "isnet"]', '[erm, "isnet", rrr]'),
        ("\n  - erm\n  - isnet", "\n  - erm\n  - isnet\n  - rrr"),
        ("\n    - erm  # a\n    # b", "\n    - erm  # a\n    - rrr\n    # b"),
        ("[\n    erm,\n    isnet\n  ]", "[\n    erm,\n    isnet, rrr\n  ]"),
    ],
)
@pytest.mark.parametrize("end", ["\nseeds: [0]\n", ""])
def test_a_list_in_any_form_takes_the_name(before: str, after: str, end: str) -> None:
    head = "seeds: [0]\nmatrix:\n  method: " if not end else "matrix:\n  method: "
    text = add.appended(head + before + end, "method", "rrr", Path("params.yaml"))
    assert text.rstrip("\n") == (head + after + end).rstrip("\n")


def test_a_list_that_cannot_be_added_to_is_left_to_the_reader() -> None:
    text = "names: &names [erm]\nmatrix: {method: [er\\\n  m]}\nseeds: [0]\n".replace("[er\\\n  m]", '["er\\\n  m"]')
    with pytest.raises(BenchmarkError, match=r"cannot add to matrix.method.*Write rrr into that list by hand"):
        add.appended(text, "method", "rrr", Path("params.yaml"))


def test_a_second_call_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["add", "rrr", "--suite", "other"])
    first = contents(project)
    capsys.readouterr()
    assert main(["add", "rrr", "--suite", "other"]) == 0
    assert contents(project) == first
    told = capsys.readouterr().out
    assert "rrr.yaml: kept as it is" in told
    assert "params.yaml: names it already" in told


def test_settings_that_are_there_are_kept(project: Path) -> None:
    path = project / "pipelines/configs/methods/rrr.yaml"
    shutil.copy(ROOT / "pipelines/configs/methods/rrr.yaml", path)
    before = path.read_bytes()
    assert main(["add", "rrr"]) == 0
    assert path.read_bytes() == before
    assert "rrr" in paths.SuitePaths().suite().matrix.method


def test_settings_that_do_not_fit_are_refused_and_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "pipelines/configs/methods/rrr.yaml"
    path.write_text((ROOT / "pipelines/configs/methods/rrr.yaml").read_text().replace("penalty", "penatly"))
    before = contents(project)
    assert main(["add", "rrr"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: settings in options in pipelines/configs/methods/rrr.yaml: penatly_weight")
    assert len(told.splitlines()) == 1
    assert contents(project) == before


def test_another_configuration_is_added_by_the_name_of_its_file(project: Path) -> None:
    shutil.copy(ROOT / "pipelines/configs/methods/rrr_path.yaml", project / "pipelines/configs/methods")
    assert main(["add", "rrr_path", "--suite", "other"]) == 0
    assert paths.SuitePaths("other").suite().matrix.method == ("erm", "rrr_path")
    assert (project / "pipelines/other/params.yaml").read_text().endswith("- rrr_path\n\n# end\nseeds: [0]\n")


def test_another_configuration_of_a_bias_is_added_by_the_name_of_its_file(project: Path) -> None:
    file = project / "pipelines/configs/biases/corner_weak.yaml"
    file.parent.mkdir()
    file.write_text("bias: corner\nstrength: 0.5\n")
    assert main(["add", "corner_weak"]) == 0
    assert paths.SuitePaths().suite().matrix.bias == ("corner", "corner_weak")
    file.write_text("bias: corner\nstrenght: 0.5\n")
    assert main(["add", "corner_weak", "--suite", "other"]) == 1
    assert paths.SuitePaths("other").suite().matrix.bias == ("corner",)


def test_a_dry_run_shows_the_changes_and_makes_none(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(project)
    assert main(["add", "rrr", "--dry-run"]) == 0
    assert contents(project) == before
    told = capsys.readouterr().out.splitlines()
    assert "+  penalty_weight: 0.001" in told
    assert "+  method: [erm, 'isnet', rrr]  # the two" in told
    assert any(line.startswith("next: `dvc repro`") for line in told)


def test_a_bias_gets_its_own_and_the_common_settings_and_what_is_missing_is_told(
    project: Path, made: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["add", "texture"]) == 0
    text = (project / "pipelines/configs/biases/texture.yaml").read_text()
    assert YAML(typ="safe").load(text) == {
        "version": 1,
        "seed": 0,
        "correlation": 1.0,
        "strength": 1.0,
        "prevalence": 1.0,
        "codes": None,
        "label_noise": 0.0,
        "counterfactuals": 0,
        "tones": [0.25, 0.5],
    }
    assert "# to be written\n# period_px:\n" in text
    assert "next: write period_px into pipelines/configs/biases/texture.yaml" in capsys.readouterr().out
    assert paths.SuitePaths().suite().matrix.bias == ("corner", "texture")
    with pytest.raises(BenchmarkError, match="period_px"):
        load(Texture.Settings, project / "pipelines/configs/biases/texture.yaml")


def test_a_data_set_without_settings_gets_a_file_that_loads(project: Path, made: None) -> None:
    assert main(["add", "nothing"]) == 0
    assert load(Nothing.Settings, paths.dataset_yaml("nothing")) == Nothing.Settings()
    assert paths.SuitePaths().suite().matrix.dataset == ("mnist5k", "nothing")


def test_a_name_of_two_things_needs_a_kind(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(add.KINDS, "bias", Registry("bias", {"rrr": f"{__name__}:Texture"}))
    assert main(["add", "rrr"]) == 1
    assert "more than one thing; got 'method and bias'. Add --kind." in capsys.readouterr().err
    assert main(["add", "rrr", "--kind", "bias"]) == 0
    assert (project / "pipelines/configs/biases/rrr.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["isnt"], r"unknown method, dataset or bias; got 'isnt'; expected did you mean 'isnet'"),
        (["accuracy"], r"unknown method, dataset or bias; got 'accuracy'"),
        (["rrr", "--suite", "nowhere"], r"pipelines/nowhere/params.yaml is missing"),
        (["is-net"], "name is not usable in a cell"),
    ],
)
def test_what_cannot_be_added_is_told_in_one_line(
    arguments: list[str], told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(project)
    assert main(["add", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert told in said
    assert len(said.splitlines()) == 1
    assert contents(project) == before
