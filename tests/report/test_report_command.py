"""``python -m benchmark.report``: what is written where, what is refused, and how it ends."""

import csv
import io
import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.report.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(pristine, tmp_path, monkeypatch):
    """A working directory with the suites ``default`` and ``other``, which has no isnet."""
    for name in ("default", "other"):
        shutil.copytree(pristine, tmp_path / "results" / name)
    other = tmp_path / "results/other"
    suite = json.loads((other / "suite.json").read_text())
    suite["suite"], suite["cells"] = "other", [cell for cell in suite["cells"] if cell["method"] != "isnet"]
    (other / "suite.json").write_text(json.dumps(suite))
    for name in ("summary.csv", "scores.csv"):
        lines = (other / name).read_text().splitlines(keepends=True)
        (other / name).write_text("".join(line for line in lines if ",isnet," not in line))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    """Path to bytes of all files below."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refusal(capsys, *arguments):
    """What the program says of a command line that it refuses with its usage."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("usage: python -m benchmark.report")
    return err.splitlines()[-1]


def error(capsys, *arguments):
    """The line that bad input ends in."""
    assert main(list(arguments)) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


def test_without_arguments_the_default_suites_pages_are_written_into_its_folder(project, capsys):
    before = files(project)
    assert main([]) == 0
    written = set(capsys.readouterr().out.splitlines())
    assert {"results/default/report.html", "results/default/report.md"} <= written
    assert set(files(project)) - set(before) == written
    assert {name: data for name, data in files(project).items() if name in before} == before


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["html"], {"report.html"}),
        (["csv", "json"], {"report.csv", "report.json"}),
        (["csv,json"], {"report.csv", "report.json"}),
        (["latex"], {"report.tex", "tables/mnist5k-corner.tex", "tables/claims.tex"}),
    ],
)
def test_a_format_may_be_repeated_or_listed_with_commas(project, capsys, names, written):
    before = files(project / "results")
    assert main(["--out", "out", *(part for name in names for part in ("--format", name))]) == 0
    assert set(files(project / "out")) == written
    assert set(capsys.readouterr().out.splitlines()) == {f"out/{name}" for name in written}
    assert files(project / "results") == before


def test_several_suites_get_a_folder_each(project, capsys):
    assert main(["default", "results/other", "--format", "md,csv", "--out", "out"]) == 0
    assert {path.name for path in (project / "out").iterdir()} == {"default", "other"}
    assert "isnet," not in (project / "out/other/report.csv").read_text()
    assert "isnet," in (project / "out/default/report.csv").read_text()
    assert (project / "out/other/report.md").read_text().startswith("# Suite other")


def test_one_table_goes_to_the_terminal_and_nowhere_else(project, capsys):
    before = files(project)
    assert main(["--format", "csv", "--methods", "isnet_path,erm", "--metrics", "macro_f1"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["method"], row["variant"], row["metric"]) for row in table if "gap" not in row["metric"]] == [
        (method, variant, "macro_f1") for method in ("erm", "isnet_path") for variant in ("iid", "ood", "deceiving")
    ]
    assert {row["metric"] for row in table} == {"macro_f1", "macro_f1_gap"}
    assert main(["other", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["suite"] == "other"
    assert files(project) == before


def test_a_selection_never_replaces_the_whole_page(project, capsys):
    assert "a selection needs --out" in refusal(capsys, "--methods", "erm")
    assert "a selection needs --out" in refusal(capsys, "--metrics", "accuracy", "--format", "md")
    assert "expected another folder than the suite's" in error(capsys, "--methods", "erm", "--out", "results/default")
    assert not (project / "results/default/report.md").exists()
    assert main(["--methods", "erm", "--out", "out"]) == 0
    assert (project / "out/report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "pdf"], "invalid choice: 'pdf' (choose from html, md, latex, csv, json)"),
        (["--format", "latex"], "need --out"),
        (["--format", "csv,json"], "need --out"),
        (["--format", "csv,html"], "need --out"),
        (["default", "other", "--format", "csv"], "need --out"),
        (["--against", "other", "--format", "latex"], "--against is written as md, csv or json"),
        (["--against", "other", "--format", "csv,json"], "several formats need --out"),
        (["default", "other", "--against", "default", "--format", "json"], "several formats need --out"),
    ],
)
def test_options_that_cannot_be_meant_together_are_refused(project, capsys, arguments, told):
    assert told in refusal(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["othr"], "unknown suite; got 'othr'; expected did you mean 'other'? one of default, other."),
        (["results/othr"], "results folder does not exist; got 'results/othr'"),
        (["--methods", "isnt", "--out", "out"], "unknown method; got 'isnt'; expected did you mean 'isnet'"),
        (["--metrics", "acuracy", "--out", "out"], "unknown metric; got 'acuracy'; expected 'accuracy'"),
        (["default", "other", "--methods", "isnet", "--out", "out"], "suite other has nothing of the selection"),
        (["default", "./results/default", "--out", "out"], "two results folders are called default"),
        (["--against", "nowhere"], "a suite, a folder, or a results folder in a git checkout"),
        (["--against", "other", "--metrics", "acuracy"], "unknown metric; got 'acuracy'"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(project, capsys, arguments, told):
    before = files(project)
    assert told in error(capsys, *arguments)
    assert files(project) == before


def test_a_broken_suite_stops_all_of_them_before_the_first_file(project, capsys):
    (project / "results/other/summary.csv").unlink()
    assert "summary.csv is missing" in error(capsys, "default", "other", "--out", "out")
    assert not (project / "out").exists()


def test_what_moved_between_two_suites(project, capsys):
    assert main(["other", "--against", "default"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# What moved: `results/other` against `results/default`")
    assert re.search(r"^- mnist5k-corner, isnet: \d+ \(", text, re.M) and "0 moved" in text
    assert main(["other", "--against", "default", "--methods", "isnet", "--format", "csv", "--out", "out"]) == 0
    table = list(csv.DictReader((project / "out/against.csv").open()))
    assert {(row["method"], row["verdict"]) for row in table} == {("isnet", "gone")}
    assert main(["default", "other", "--against", "default"]) == 0
    assert capsys.readouterr().out.count("# What moved") == 2


def git(*arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(project):
    """The project in git, with stored predictions of two cells in commits of their own; their hashes."""
    git("init", "-q")
    stored = project / "results/default/predictions"
    stored.mkdir()
    found = []
    for method in ("erm", "isnet"):
        (stored / f"mnist5k-corner-{method}.npz").write_bytes(method.encode())
        git("add", "-A")
        git("commit", "-qm", method)
        found.append(git("log", "-1", "--format=%h"))
    (stored / "mnist5k-corner-isnet_path.npz").write_bytes(b"not committed")
    return found


def commits_of(text):
    return {row["method"]: row["commit"] for row in csv.DictReader(io.StringIO(text))}


def test_elsewhere_a_report_names_the_commit_of_each_cells_predictions(project, checkout, capsys):
    assert main(["--format", "csv", "--out", "out"]) == 0
    found = commits_of((project / "out/report.csv").read_text())
    assert found == {"erm": checkout[0], "isnet": checkout[1], "isnet_path": ""}
    (project / "results/default/predictions/mnist5k-corner-erm.npz").write_bytes(b"changed")
    assert main(["--format", "latex,csv", "--out", "out"]) == 0
    found = commits_of((project / "out/report.csv").read_text())
    assert found["erm"] == f"{checkout[0]} (changed since)"
    assert f"mnist5k-corner-isnet: predictions of commit {checkout[1]}." in (project / "out/report.tex").read_text()


def test_in_the_results_folder_bytes_do_not_depend_on_history(project, checkout, capsys):
    assert main([]) == 0
    before = files(project / "results/default")
    git("add", "-A")
    git("commit", "-qm", "again")
    assert main([]) == 0
    assert main(["--out", "./results/../results/default"]) == 0
    assert files(project / "results/default") == before
    capsys.readouterr()
    assert main(["--format", "csv"]) == 0
    assert commits_of(capsys.readouterr().out) == dict.fromkeys(("erm", "isnet", "isnet_path"), "")


def test_what_moved_since_a_commit(project, checkout, capsys):
    summary = project / "results/default/summary.csv"
    lines = summary.read_text().splitlines(keepends=True)
    start = "mnist5k,corner,isnet_path,ood,generalization,accuracy,"
    at = next(i for i, line in enumerate(lines) if line.startswith(start))
    cut = lines[at].split(",")
    lines[at] = ",".join([*cut[:6], "0.5", "0.45", "0.55", *cut[9:]])
    summary.write_text("".join(lines))
    assert main(["--against", "HEAD~1"]) == 0
    text = capsys.readouterr().out
    assert "`results/default` against `results/default at HEAD~1`" in text and ": 1 moved, 0 gone, 0 new," in text
    assert "| mnist5k-corner | isnet_path | ood | accuracy | 0.958 [" in text
    assert main(["--against", "nothing"]) == 1
    assert "unknown suite, folder or git revision; got 'nothing'" in capsys.readouterr().err


def test_the_help_tells_everything_without_reading_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    for word in ("--format", "--out", "--methods", "--metrics", "--against", "latex", "behaviour", "docs/report.md"):
        assert word in out
    assert max(map(len, out.splitlines())) <= 130


@pytest.mark.parametrize("text", ["README.md", "docs/report.md"])
def test_every_command_that_a_page_shows_is_understood(text, monkeypatch, capsys):
    from benchmark.report import __main__ as program

    lines = re.findall(r"^python -m benchmark\.report\b([^#>\n]*)", (ROOT / text).read_text(), re.M)
    assert lines or text == "README.md"
    for line in lines:
        options = program.parser().parse_args(line.split())
        options.format = options.format or (["md"] if options.against else list(program.PAGES))
        assert program.refused(options) == "", line


def test_all_formats_of_the_default_suite_take_less_than_three_seconds_and_no_torch(tmp_path):
    code = (
        "import sys; from benchmark.report.__main__ import main; "
        f"code = main(['--format', 'html,md,latex,csv,json', '--out', {str(tmp_path)!r}]); "
        "print('heavy:', *sorted({'torch', 'timm', 'captum', 'torchvision', 'matplotlib', 'pandas', 'scipy', "
        "'pydantic', 'baselines', 'isnet'} & set(sys.modules))); sys.exit(code)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # of the CPU: other work on the machine does not count
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "heavy:"
    assert {"report.html", "report.md", "report.tex", "report.csv", "report.json"} <= set(files(tmp_path))


def test_a_reader_that_has_enough_is_no_error():
    command = f"{sys.executable} -m benchmark.report --format csv | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("suite,dataset,") and done.stdout.count("\n") == 1
