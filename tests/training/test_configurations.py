"""One method under two names."""

from dataclasses import replace
from pathlib import Path

import pytest
from jobs import make_job

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.training import seed


def test_two_configurations_of_one_method_train_it_and_equal_settings_give_equal_weights(
    pack: Path, tmp_path: Path
) -> None:
    plain = make_job(pack, tmp_path / "plain" / "seed-0", epochs=1)
    named = replace(
        make_job(pack, tmp_path / "named" / "seed-0", epochs=1), cell=Cell("strokes", "corner", "erm_as_ever")
    )
    for job in (plain, named):
        seed.run(job, lambda *_: None)
    assert (plain.folder / seed.WEIGHTS).read_bytes() == (named.folder / seed.WEIGHTS).read_bytes()


def test_a_checkpoint_is_not_taken_up_by_another_method_of_the_same_cell(pack: Path, tmp_path: Path) -> None:
    job = make_job(pack, tmp_path / "seed-0")
    assert replace(job, method="isnet").fingerprint() != job.fingerprint()
    assert replace(job).fingerprint() == job.fingerprint()


def test_a_job_whose_method_is_unknown_says_so(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="unknown method; got 'emr'; expected did you mean 'erm'"):
        seed.run(replace(make_job(pack, tmp_path / "seed-0"), method="emr"), lambda *_: None)
