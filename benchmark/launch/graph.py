"""The stages of a suite as DVC resolves them, and which are stale.

A stage is stale where its command, the hash of a dependency or that of an output is not what ``dvc.lock`` holds. The
rule and the hashes are DVC's own, asked for in one process, each path once however many stages name it: 200 cells take
seconds, where 200 calls of ``dvc status`` take minutes.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.paths import DATA, RUNS, SuitePaths

Stage = Any
"""``dvc.stage.PipelineStage``: DVC brings no types."""


class Graph:
    """Stages of a suite, with those of other suites that make what it reads.

    Args:
        suite: The suite; its ``dvc.yaml`` must be there.

    Raises:
        BenchmarkError: If there is no such file, or DVC cannot read it.
    """

    def __init__(self, suite: SuitePaths) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        if not suite.pipeline.is_file():
            known = sorted(path.parent.name for path in Path("pipelines").glob("*/dvc.yaml"))
            do = f"Run it in the project's root; suites here: {', '.join(['default', *known])}."
            raise BenchmarkError(f"suite {suite.name} has no {suite.pipeline}", got=str(Path.cwd()), do=do)
        logging.getLogger("dvc").setLevel(logging.CRITICAL)  # its bars and warnings would tear the table
        self.suite, self.known = suite, dict[Any, bool]()
        try:
            self.repo = Repo()
            self.stages = {stage.name: stage for stage in self.repo.stage.load_all(str(suite.pipeline))}
        except DvcException as error:
            raise BenchmarkError(f"DVC cannot read {suite.pipeline}", got=str(error)) from error

    @cached_property
    def makers(self) -> dict[str, Stage]:
        """Path of every output to the stage that makes it; another suite's file is read only if it is needed."""
        makers = {out.fs_path: stage for stage in self.stages.values() for out in stage.outs}
        made = tuple(f"{(Path(self.repo.root_dir) / folder)}/" for folder in (DATA, RUNS))
        wanted = {dep.fs_path for stage in self.stages.values() for dep in stage.deps if dep.fs_path.startswith(made)}
        others = [path for path in [Path("dvc.yaml"), *sorted(Path("pipelines").glob("*/dvc.yaml"))] if path.is_file()]
        for path in others:
            if wanted <= makers.keys():
                break
            if path != self.suite.pipeline:
                stages = self.repo.stage.load_all(str(path))
                makers |= {out.fs_path: stage for stage in stages for out in stage.outs}
                wanted |= {dep.fs_path for stage in stages for dep in stage.deps if dep.fs_path.startswith(made)}
        return makers

    def parents(self, stage: Stage) -> list[Stage]:
        """The stages that make what a stage reads."""
        found = {self.makers[dep.fs_path] for dep in stage.deps if dep.fs_path in self.makers}
        return sorted(found, key=lambda each: str(each.addressing))

    def ancestors(self, stage: Stage) -> Iterator[Stage]:
        """Everything that must be fresh before a stage can run, nearest first."""
        seen, waiting = set(), self.parents(stage)
        while waiting:
            one = waiting.pop(0)
            if one not in seen:
                seen.add(one)
                yield one
                waiting += self.parents(one)

    def stale(self, stage: Stage) -> bool:
        """Whether DVC would run the stage, if everything before it is fresh."""
        if stage not in self.known:
            self.known[stage] = bool(stage.changed_stage() or self.why(stage.deps) or self.why(stage.outs))
        return self.known[stage]

    def expects_new(self, stage: Stage) -> bool:
        """Whether a stale stage may have other outputs than recorded: nothing is, or what makes them has changed.

        Otherwise outputs that differ were changed by somebody, and must not be taken for what the stage made.
        """
        recorded = any(out.hash_info for out in stage.outs)
        return not recorded or bool(stage.changed_stage() or self.why(stage.deps))

    def damaged(self, stage: Stage) -> bool:
        """Whether an output that was recorded is not as recorded."""
        return bool(self.why(out for out in stage.outs if out.hash_info))

    def why(self, entries: Iterable[Any]) -> str:
        """The first of these dependencies or outputs that is not as recorded; empty if all are."""
        for entry in entries:
            recorded = repr(entry.hash_info)
            key = (type(entry), entry.fs_path, tuple(getattr(entry, "params", ())), recorded)
            if key not in self.known:
                self.known[key] = bool(entry.status())
            if self.known[key]:
                return str(entry)
        return ""

    def look_again(self) -> None:
        """Forgets what was found of files, for they have changed."""
        self.known.clear()


def command(stage: Stage) -> tuple[str, ...]:
    """A stage's command as DVC would run it, every ``${...}`` filled in.

    Raises:
        BenchmarkError: If it is more than one program.
    """
    if not isinstance(stage.cmd, str) or "\n" in stage.cmd.strip():
        raise BenchmarkError(f"cmd of {stage.addressing}", got=stage.cmd, expected="one command")
    return tuple(shlex.split(stage.cmd))


def files(entries: Iterable[Any]) -> tuple[Path, ...]:
    """Where dependencies or outputs lie, from the project's root."""
    return tuple(Path(entry.fs_path).relative_to(entry.repo.root_dir) for entry in entries)


def inputs(stage: Stage) -> tuple[tuple[str, str], ...]:
    """What a stage reads as it is now: names and hashes, or the values of settings."""
    return tuple((str(dep), repr(dep.get_hash())) for dep in stage.deps)
