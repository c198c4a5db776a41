import pytest

from benchmark.cli.main import COMMANDS, main


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
