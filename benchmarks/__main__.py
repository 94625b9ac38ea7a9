"""The command: ``python -m benchmarks run | report | list | scaling | command``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import isclose, log10
from pathlib import Path

from benchmarks import results, scaling, whole_command
from benchmarks.measure import Plan
from benchmarks.missing import Missing
from benchmarks.objective import LOSSES
from benchmarks.peers import choose, everybody
from benchmarks.run import Table, run
from benchmarks.sets import BUNDLED

CACHE = Path(__file__).parent / ".cache"
DATA_VARIABLE = "SOFTREG_BENCHMARK_DATA"
DEFAULT_SETS = (*BUNDLED, "dense:2000x50x5", "dense:5000x20x8:1e4", "text:2000x5000x8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; 0, or 2 with a line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, Missing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(options: argparse.Namespace) -> None:
    plan = Plan(tuple(sorted(options.levels, reverse=True)), options.repeats, memory=not options.no_memory)
    table = Table(
        sets=options.sets,
        alphas=options.alphas,
        losses=options.losses,
        peers=choose(options.peers),
        plan=plan,
        cache=options.cache,
        data=options.data,
        threads=options.threads,
        limit=options.limit,
        budget=options.budget,
        hinge_intercept=options.hinge_intercept,
    )
    if options.quick:
        quick = replace(plan, repeats=1, memory=False)
        peers = choose(("softreg auto", "scikit-learn newton-cholesky", "scikit-learn newton-cg", "cyanure qning-svrg"))
        table = replace(table, sets=("iris", "wine"), alphas=(1e-2,), limit=10.0, plan=quick, peers=peers)
    done = results.read([options.out]) if options.resume and options.out.exists() else None
    run(table, options.out, done)
    print(f"wrote {options.out}")
    if options.report or options.picture or options.into:
        _write_report(options, [options.out])


def _report(options: argparse.Namespace) -> None:
    _write_report(options, options.results)


def _write_report(options: argparse.Namespace, paths: Sequence[Path]) -> None:
    from benchmarks.report import markdown
    from softreg.files import atomic_write

    got = results.read(paths)
    text = markdown(got)
    if options.report:
        with atomic_write(options.report, "w") as file:
            file.write(text)
        print(f"wrote {options.report}")
    elif not options.into:
        print(text)
    if options.into:
        from benchmarks.report import put_into, short

        page = put_into(options.into.read_text(encoding="utf-8"), short(got, options.picture_alpha or 1e-4))
        with atomic_write(options.into, "w") as file:
            file.write(page)
        print(f"wrote {options.into}")
    if options.picture:
        from benchmarks.picture import picture
        from softreg.plots.display import save_figure

        save_figure(picture(got, options.picture_alpha), options.picture)
        print(f"wrote {options.picture}")


def _scaling(options: argparse.Namespace) -> None:
    from softreg.plots.display import save_figure

    got = scaling.measure(
        options.rows,
        options.classes,
        columns=options.columns,
        alpha=options.alpha,
        threads=options.threads,
        limit=options.limit,
        repeats=options.repeats,
    )
    scaling.save(options.out, got)
    print(f"wrote {options.out}")
    if options.picture:
        save_figure(scaling.picture(got), options.picture)
        print(f"wrote {options.picture}")


def _command(options: argparse.Namespace) -> None:
    got = whole_command.compare(
        options.set,
        options.cache,
        options.data,
        alpha=options.alpha,
        solver=options.solver,
        threads=options.threads,
        repeats=options.repeats,
        limit=options.limit,
    )
    print(whole_command.text(got))
    if options.out:
        whole_command.save(options.out, got)
        print(f"wrote {options.out}")


def _list(options: argparse.Namespace) -> None:
    print("sets: " + ", ".join(BUNDLED) + ", dense:ROWSxCOLUMNSxCLASSES[:CONDITION], text:ROWSxCOLUMNSxCLASSES,")
    print("      openml:NAME[@VERSION], and the folders of --data")
    print("losses: " + ", ".join(LOSSES))
    print("peers (those in brackets only when asked for by name):")
    for peer in everybody():
        name = f"({peer.name})" if peer.is_extra() else peer.name
        print(f"  {name}" + (f": {peer.absent()}" if peer.absent() else ""))


def _level(text: str) -> float:
    level = float(text)
    if not 0 < level < 1 or not isclose(log10(level), round(log10(level)), abs_tol=1e-9):
        raise argparse.ArgumentTypeError(f"{text} is not 0.1, 0.01, …")
    return level


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time, passes and memory to an accuracy.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("run", help="measure a table and write results")
    one.add_argument("--sets", nargs="+", default=DEFAULT_SETS, metavar="SET", help="as `list` names them")
    one.add_argument("--alphas", nargs="+", type=float, default=(1e-2, 1e-4, 1e-6), metavar="ALPHA")
    one.add_argument("--losses", nargs="+", choices=tuple(LOSSES), default=("softmax",), metavar="LOSS")
    one.add_argument("--peers", nargs="+", default=(), metavar="PEER", help="names, * stands for anything")
    one.add_argument("--levels", nargs="+", type=_level, default=(1e-2, 1e-4, 1e-6), metavar="LEVEL")
    one.add_argument("--repeats", type=int, default=3, help="rounds of timed fits (3)")
    one.add_argument("--limit", type=float, default=120.0, help="seconds one fit may take (120)")
    one.add_argument("--budget", type=float, default=float("inf"), help="seconds in all")
    one.add_argument("--threads", type=int, help="of every solver (all cores)")
    one.add_argument("--hinge-intercept", action="store_true", help="fit hinges with an intercept")
    one.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    one.add_argument("--resume", action="store_true", help="keep the rows that --out has already")
    one.add_argument(
        "--quick", action="store_true", help="a few seconds: iris and wine, alpha 1e-2, four peers, no memory"
    )
    one.add_argument("--out", type=Path, default=Path("benchmark.json"))
    _folders(one)
    _pictures(one)
    one.set_defaults(command=_run)

    two = commands.add_parser("report", help="table and picture from results")
    two.add_argument("results", nargs="+", type=Path)
    _pictures(two)
    two.set_defaults(command=_report)

    four = commands.add_parser("scaling", help="cost against rows and classes, generated data")
    four.add_argument("--rows", nargs="+", type=int, default=scaling.ROWS, metavar="N")
    four.add_argument("--classes", nargs="+", type=int, default=scaling.CLASSES, metavar="K")
    four.add_argument("--columns", type=int, default=scaling.COLUMNS)
    four.add_argument("--alpha", type=float, default=1e-4)
    four.add_argument("--repeats", type=int, default=3)
    four.add_argument("--limit", type=float, default=300.0, help="seconds one fit may take (300)")
    four.add_argument("--threads", type=int)
    four.add_argument("--out", type=Path, default=Path("scaling.json"))
    four.add_argument("--picture", type=Path, help=".svg, .png or .pdf file")
    four.set_defaults(command=_scaling)

    five = commands.add_parser("command", help="softreg fit FILE.csv against a script of pandas and scikit-learn")
    five.add_argument("--set", default="mnist", help="written to a temporary CSV file (mnist, which needs --data)")
    five.add_argument("--alpha", type=float, default=1e-4)
    five.add_argument(
        "--solver", default="lbfgs", choices=("lbfgs", "newton-cg", "newton-cholesky"), help="scikit-learn's"
    )
    five.add_argument("--repeats", type=int, default=3)
    five.add_argument("--limit", type=float, default=600.0, help="seconds that finding max_iter may take (600)")
    five.add_argument("--threads", type=int)
    five.add_argument("--out", type=Path)
    _folders(five)
    five.set_defaults(command=_command)

    three = commands.add_parser("list", help="name sets, losses and peers")
    three.set_defaults(command=_list)
    return parser


def _folders(parser: argparse.ArgumentParser) -> None:
    data = os.environ.get(DATA_VARIABLE)
    parser.add_argument("--data", type=Path, default=None if data is None else Path(data), help=f"or ${DATA_VARIABLE}")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where prepared sets and optima are kept")


def _pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--report", type=Path, help="Markdown file")
    parser.add_argument("--into", type=Path, help="page that gets the short table between its two marks")
    parser.add_argument("--picture", type=Path, help=".svg, .png or .pdf file")
    parser.add_argument("--picture-alpha", type=float, help="the alpha that is drawn (the middle one)")


if __name__ == "__main__":
    sys.exit(main())
