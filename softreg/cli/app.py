"""The application: its commands, and the one place where anything that goes wrong becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from softreg import __version__
from softreg.cli.check import check
from softreg.cli.compare import compare
from softreg.cli.env import env
from softreg.cli.evaluate import evaluate
from softreg.cli.explain import explain
from softreg.cli.fit import fit
from softreg.cli.gradcheck import gradcheck
from softreg.cli.inspect import inspect
from softreg.cli.options import expand
from softreg.cli.plot import plot
from softreg.cli.predict import predict
from softreg.cli.printing import abandon_stdout, flush_results, narrate, prepare_streams, result
from softreg.cli.verify import verify
from softreg.errors import ResourceError, SoftregError
from softreg.text import nearest, safe_text

# The base class of Typer's own exceptions, wherever it keeps it: from 0.26 on it brings its own copy of click.
_CLICK_ERROR: type[Any] = typer.BadParameter.__mro__[2]

_INTERRUPTED = 130
_INTERNAL = 1


def _show_version(value: bool) -> None:
    if value:
        result(f"softreg {__version__}")
        raise typer.Exit


def _make_app() -> typer.Typer:
    # Plain help: no rich import, half the time to the first line, and the same text in every terminal and pipe.
    app = typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "token_normalize_func": lambda token: token.replace("_", "-"),
            "max_content_width": 100,
        },
    )

    @app.callback()
    def softreg(
        version: bool = typer.Option(
            False, "--version", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ) -> None:
        """Softmax and multiclass hinge classifiers, each fit with proof of how near the optimum it is."""

    for command in (fit, evaluate, predict, plot, compare, check, gradcheck, explain, verify, inspect, env):
        app.command()(expand(command))
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what the process should exit with.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        0 done; 1 internal error; 2 usage; 3 data; 4 model file; 5 output; 6 diverged, wrong gradient or ``--strict``
        not met; 7 resources; 8 a condition not met; 130 and 143 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    prepare_streams()
    debug = "--debug" in arguments  # read here too, for what fails before the options are parsed
    try:
        code = _run(arguments)
        flush_results()
    except BaseException as error:
        code = _answer(error, arguments, debug)
        try:
            flush_results()
        except (OSError, SoftregError):
            abandon_stdout()
    return code


def _run(arguments: list[str]) -> int:
    app = _make_app()
    if "_SOFTREG_COMPLETE" in os.environ:
        app(prog_name="softreg")  # a shell asks for completions: Typer's own business, ends by SystemExit
    command = typer.main.get_command(app)
    # Not app(): its handling of interrupts and closed pipes differs from ours.
    try:
        with command.make_context("softreg", [*arguments] or ["--help"]) as context:
            return command.invoke(context) or 0
    except typer.Exit as finished:
        return finished.exit_code if arguments else 2


def _answer(error: BaseException, arguments: list[str], debug: bool) -> int:
    """Say what went wrong in one line on stderr; the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else _INTERNAL
    if isinstance(error, BrokenPipeError):  # `softreg … | head` has read enough
        return 0
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        narrate("interrupted: nothing was saved")
        return _INTERRUPTED
    if isinstance(error, _CLICK_ERROR):
        _say_error(_usage_message(error, arguments))
        return 2
    if isinstance(error, MemoryError):
        error = ResourceError("does not fit in memory")
    if isinstance(error, SoftregError):
        _say_error(str(error))
        return error.exit_code
    hint = "" if debug else " (--debug shows where; this is a bug in softreg)"
    _say_error(f"internal: {type(error).__name__}: {safe_text(str(error), 300)}{hint}")
    return _INTERNAL


def _say_error(message: str) -> None:
    narrate(f"error: {safe_text(message, None)}")


def _usage_message(error: Any, arguments: list[str]) -> str:
    """The parser's finding in one line, with the option or command that was probably meant."""
    message = " ".join(error.format_message().split()).rstrip(".")
    message, suggests, rest = message.partition(". Did you mean")  # older versions say it twice
    if suggests:
        message += f", did you mean{rest.partition('?')[0]}?"
    context = getattr(error, "ctx", None)
    known_command = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    command = " ".join(["softreg", *known_command]) if context is None else context.command_path
    wrong = getattr(error, "option_name", None)
    if wrong and context is not None:
        known = [name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        if wrong not in known:
            words = {name.lstrip("-"): name for name in known}  # two options are not alike for their hyphens
            meant = words.get(nearest(wrong.lstrip("-"), words) or "")
            message = f"no option {safe_text(wrong, 60)}" + (f", did you mean {meant}?" if meant else "")
    return f"{command}: {message[:1].lower() + message[1:]} ({command} --help lists what there is)"
