"""The command line itself: what it takes, and what it says of mistakes."""

import pytest

from stackd.cli import main as command
from stackd.cli.main import main, make_parser


def test_every_subcommand_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` of each ends well and says something."""
    for subcommand in command.SUBCOMMANDS:
        name = subcommand.__name__.rpartition(".")[2].replace("_", "-")
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"stackd {name}" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "words"), [
    ("", "COMMAND"),
    ("cloud", "--state"),
    ("cloud --state x --drivers xen", "invalid choice: 'xen'"),
    ("user create", "name"),
    ("user grant ann demo king", "invalid choice: 'king'"),
    ("quota set demo instanzes=3", "'instanzes' is no limit; choose from instances, cores"),
    ("quota set demo instances=many", "write instances=NUMBER"),
    ("quota set demo instances=-2", "a limit is -1 (unlimited), 0 or more"),
])
def test_wrong_arguments_are_refused(arguments: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and what was wrong."""
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_limits_are_numbers() -> None:
    """What is sent to the cloud."""
    chosen = make_parser().parse_args(["quota", "set", "demo", "instances=-1", "cores=8"])
    assert dict(chosen.limits) == {"instances": -1, "cores": 8}
