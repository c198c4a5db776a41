"""Whether a run folder is what this code and these settings would train now.

``dvc commit`` records whatever lies in the working tree. So a run is committed only where the fingerprint of every
seed, made of settings, data, code and packages, is that of the job as it would start now.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from benchmark import paths, skipped
from benchmark.cell import Cell
from benchmark.config import load
from benchmark.data.pack import read_attributes
from benchmark.files import read_json, sha256_file
from benchmark.jobs import make_jobs
from benchmark.paths import SuitePaths
from benchmark.provenance import code_hash
from benchmark.scoring.settings import Scoring
from benchmark.training.job import Job


def jobs_of(cell: Cell, suite: SuitePaths) -> list[Job]:
    """One job a seed of the suite's params, as stage ``train`` makes them."""
    pack = paths.biased_pack(cell.task)
    return make_jobs(cell, suite, _digest(pack, pack.stat().st_mtime_ns, pack.stat().st_size), suite.work(cell))


@lru_cache(maxsize=256)
def _digest(pack: Path, modified: int, size: int) -> str:
    """All cells of a task read one pack; time and size are there to tell another content."""
    return sha256_file(pack)


def foreign_run(cell: Cell, suite: SuitePaths) -> str:
    """Why the trained cell is not what would be trained now; empty if it is."""
    folder, pack = suite.run(cell), paths.biased_pack(cell.task)
    if not pack.is_file():
        return f"{pack} is missing"
    if not folder.is_dir():
        return f"{folder} is missing"
    if mark := skipped.in_attributes(read_attributes(pack)):
        return "" if skipped.in_folder(folder) == mark else f"{folder} does not say that {mark.dataset} is skipped"
    jobs = jobs_of(cell, suite)
    found, wanted = sorted(path.name for path in folder.iterdir()), sorted(job.folder.name for job in jobs)
    if found != wanted:
        return f"{folder} holds {', '.join(found) or 'nothing'}, expected {', '.join(wanted)}"
    for job in jobs:
        if not job.is_in(folder / job.folder.name):
            return (
                f"{folder / job.folder.name} was made by other settings, data, code or packages than the present ones"
            )
    return ""


def foreign_score_code(suite: SuitePaths) -> str:
    """Why scores made now would be recorded under the hash of other code; empty if they would not.

    Whatever changed the code that scores while cells were scored has not changed the file that holds its hash.
    """
    from benchmark.scoring.code import scoring_hash

    if not suite.scoring_code.is_file():
        return f"{suite.scoring_code} is missing"
    if read_json(suite.scoring_code)["code"] != scoring_hash(load(Scoring, suite.scoring_yaml)):
        return "the code that scores has changed since stage score_code hashed it"
    return ""


def look_again() -> None:
    """Forgets the hashes of code: somebody may have edited it while cells ran."""
    code_hash.cache_clear()
