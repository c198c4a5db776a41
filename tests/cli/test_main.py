import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_says_what_a_command_does(command: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*([command] if command else []), "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith("usage: python -m benchmark")
    expected = [COMMANDS[command].__doc__.splitlines()[0]] if command else list(COMMANDS)
    assert all(each in told for each in expected)


@pytest.mark.parametrize("arguments", [[], ["lsit"], ["list", "mthods"], ["add"], ["new-method"]])
def test_a_call_that_makes_no_sense_ends_with_2_and_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: python -m benchmark" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("benchmark", ["add", "no_such_method"]),
        ("benchmark.report", ["no/such/folder"]),
        ("pipelines.check", ["no_such_suite"]),
        ("pipelines.code", ["no_such_method"]),
    ],
)
def test_in_every_program_bad_input_is_1_with_a_line_and_a_wrong_option_2(module: str, arguments: list[str]) -> None:
    def ended(*given: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-m", module, *given], cwd=ROOT, capture_output=True, text=True)
        return done.returncode, done.stderr

    code, told = ended(*arguments)
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith("error: ") and arguments[-1] in told
    code, told = ended(*arguments, "--no-such-option")
    assert code == 2 and told.startswith("usage: ")
