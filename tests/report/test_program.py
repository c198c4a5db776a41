import os
import subprocess
import sys
import time

from benchmark.report.__main__ import main


def _run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_the_whole_program_takes_less_than_three_seconds(pristine, tmp_path):
    start = time.monotonic()
    done = _run("-m", "benchmark.report", pristine, "--out", tmp_path)
    assert time.monotonic() - start < 3
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / "report.html") in done.stdout.splitlines()


def test_no_heavy_package_is_imported(pristine, tmp_path):
    code = (
        "import sys; from benchmark.report.__main__ import main; "
        f"main([{str(pristine)!r}, '--out', {str(tmp_path)!r}]); "
        "print('heavy:', *sorted({'torch', 'timm', 'captum', 'torchvision', 'matplotlib', 'pandas', 'scipy', "
        "'pydantic', 'baselines', 'isnet'} & set(sys.modules)))"
    )
    done = _run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_the_hash_seed_moves_no_byte(pristine, tmp_path):
    for seed in "12":
        _run("-m", "benchmark.report", pristine, "--out", tmp_path / seed, PYTHONHASHSEED=seed)
    one, two = ([p.read_bytes() for p in sorted((tmp_path / s).rglob("*.*"))] for s in "12")
    assert one == two and len(one) == 4


def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: results folder does not exist") and err.count("\n") == 1


def test_a_failed_report_leaves_the_old_one(results, edit):
    assert main([str(results)]) == 0
    before = (results / "report.html").read_bytes()
    edit("summary.csv", lambda table: table[0].update(value="x"))
    assert main([str(results)]) == 1
    assert (results / "report.html").read_bytes() == before
