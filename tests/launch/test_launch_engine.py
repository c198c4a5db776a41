"""What a launch makes of an engine that fails, and of the times of earlier ones."""

from pathlib import Path

import pytest
import toy_suite as toy

from benchmark.cell import Cell
from benchmark.launch.launch import launch
from benchmark.launch.local import Local, make_slots
from benchmark.launch.record import estimates, note_time
from benchmark.launch.work import Outcome, Work
from benchmark.paths import SuitePaths


class Uncertain(Local):
    """Ends its commands, and then cannot tell so."""

    def cancel(self, handles):
        super().cancel(handles)
        raise OSError("the cluster does not answer")


def test_what_had_ended_is_recorded_though_the_engine_fails_to_end_the_rest(project, monkeypatch):
    monkeypatch.chdir(project)
    for name, value in toy.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match="the cluster does not answer"):
        launch(SuitePaths("toy"), "*-a", lambda: Uncertain(make_slots(1, 1, [])), 1, 0)
    assert "toy-none-a" not in toy.stale(project)


def test_times_count_of_whole_trainings_that_ended_well_with_as_many_cores_and_gpus(project, monkeypatch):
    monkeypatch.chdir(project)
    suite, first, second = SuitePaths("toy"), Cell.parse("toy-none-a"), Cell.parse("toy-none-b")
    for seconds, cpus, gpus, code, whole in [
        (40.0, 2, 1, 0, True),
        (10.0, 2, 1, 0, False),
        (20.0, 1, 1, 0, True),
        (30.0, 2, 0, 0, True),
        (50.0, 2, 1, 1, True),
    ]:
        work, outcome = Work("train@toy-none-a", (), Path("log"), cpus, gpus), Outcome(code, seconds, "here")
        note_time(suite, first, "train", "local", work, outcome, whole)
    assert estimates(suite, [first, second], 2, 1) == {(first, "train"): 40.0}
    assert estimates(suite, [first], 2, 0) == {(first, "train"): 30.0}
    assert estimates(suite, [first], 4, 1) == {}
