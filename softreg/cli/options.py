"""Options that commands share, each spelled once: its name, what it takes, and its help.

An option is named like the field of `softreg.training.Settings` or `softreg.config.Run` that it fills (and like its key
in a configuration file, and the parameter of the estimators).  All of them arrive as text, or None where not given:
`softreg.config` gives flags and configuration keys one meaning and one manner of refusal.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

_FORMATS = "CSV, TSV, JSON lines, Parquet, svmlight or npz, also gzipped; a pattern, or - for stdin."
OptionalTables = Annotated[
    list[str] | None,
    typer.Argument(metavar="DATA...", help=f"{_FORMATS}  Several files are one table."),
]
Tables = Annotated[list[str], typer.Argument(metavar="DATA...", help=_FORMATS)]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="Model file that fit has saved.")]


def text_option(name: str, metavar: str, help: str, *names: str) -> Any:
    return Annotated[str | None, typer.Option(f"--{name}", *names, metavar=metavar, help=help, show_default=False)]


def _switch(name: str, help: str) -> Any:
    return Annotated[bool | None, typer.Option(f"--{name}/--no-{name}", help=help, show_default=False)]


#: Which loss is minimised: for commands that fit one.
LOSS: dict[str, Any] = {
    "loss": text_option("loss", "NAME", "softmax (default), weston_watkins or crammer_singer."),
    "squared": _switch("squared", "Square each hinge term."),
}

#: The other fields of Settings.
SETTINGS: dict[str, Any] = {
    "margin": text_option("margin", "NUMBER", "Margin of the hinges; 1."),
    "alpha": text_option("alpha", "NUMBER", "Strength of the penalty (alpha/2)·||W||² on the mean loss; 1e-4."),
    "C": text_option(
        "C", "NUMBER", "The same as scikit-learn counts it: alpha = 1/(C · rows), 2/(C · rows) for two classes."
    ),
    "fit_intercept": _switch("fit-intercept", "Whether classes have an intercept; yes."),
    "class_weight": text_option("class-weight", "balanced", "Give every class the same total weight."),
    "solver": text_option("solver", "NAME", "auto (default), newton, lbfgs, gd, momentum, nesterov, sgd or adam."),
    "learning_rate": text_option(
        "learning-rate", "NUMBER", "Of gd, momentum, nesterov, sgd, adam; or auto (default), lipschitz."
    ),
    "batch_size": text_option("batch-size", "ROWS", "Of sgd and adam; 256."),
    "momentum": text_option("momentum", "NUMBER", "Of the solvers momentum and sgd; 0.9."),
    "max_iter": text_option("max-iter", "COUNT", "Stop after so many iterations; else when certified or stalled."),
    "max_time": text_option("max-time", "SECONDS", "Stop after so much time in the solver."),
    "tol": text_option("tol", "NUMBER", "Target of the certificate, relative; 1e-6, and 1e-3 for hinges not squared."),
    "standardize": _switch("standardize", "Penalise weights of columns brought to mean 0 and spread 1."),
    "early_stopping": _switch("early-stopping", "Stop when the validation loss no longer falls, and keep its best."),
    "n_iter_no_change": text_option("n-iter-no-change", "COUNT", "Patience of early stopping, in iterations; 10."),
    "random_state": text_option("random-state", "SEED", "Of splits and of stochastic solvers; 0.", "--seed"),
    "n_jobs": text_option("n-jobs", "COUNT", "Threads (speed only, never the result); all cores unless given."),
}

#: What a fit needs besides Settings, less DATA.
TARGET: dict[str, Any] = {
    "target": text_option("target", "COLUMN", "The column of labels; needed for tables."),
    "group": text_option("group", "COLUMN", "Keep rows of one group on one side of every split."),
    "validation_fraction": text_option("validation-fraction", "F", "Keep this part of the rows apart, stratified."),
}

RUN: dict[str, Any] = {
    **TARGET,
    "validation": text_option("validation", "FILE", "Rows kept apart, in a file of their own."),
    "tune": _switch("tune", "Choose alpha by cross-validation first."),
    "output": text_option("output", "MODEL", "Save the model here.", "-o"),
    "plot": text_option("plot", "FILE", "Draw the loss curve: .png, .svg or .pdf."),
    "history": text_option("history", "FILE", "Write a CSV row per iteration."),
}

#: How a table is read, and what its columns are for.
TABLES: dict[str, Any] = {
    "features": text_option("features", "A,B,…", "Learn from these columns only."),
    "drop": text_option("drop", "A,B,…", "Leave these columns out."),
    "categorical": text_option("categorical", "A,B,…", "Take these as categories even if they look like numbers."),
    "id_col": text_option("id-col", "COLUMN", "Names the rows; never learned from."),
    "weight_col": text_option("weight-col", "COLUMN", "How often each row counts; never learned from."),
    "target_proba": text_option(
        "target-proba", "'P_*'", "Columns with a probability for each class, * being the class."
    ),
    "missing": text_option(
        "missing", "HOW", "Missing cells: error (default), drop (the row), drop-columns, mean, median, indicator."
    ),
    "unknown": text_option(
        "unknown",
        "HOW",
        "Categories never seen, when predicting: ignore (default) or error; where rare ones share a column, that one.",
    ),
    "max_levels": text_option("max-levels", "COUNT", "Categories a column keeps; rarer ones become one; 100."),
    "na": text_option("na", "A,B,…", "Texts that mean that a value is missing, as an empty cell does."),
    "delimiter": text_option("delimiter", "CHAR", "Between cells; found in the first line unless given."),
    "header": _switch("header", "Whether the first line holds names; else columns are x1, x2, …"),
    "decimal": text_option("decimal", "CHAR", "Decimal point: . (default) or a comma."),
    "encoding": text_option("encoding", "NAME", "Of text that is not UTF-8, such as latin-1."),
    "max_features": text_option("max-features", "COUNT", "Most features that an svmlight file may have."),
}

#: What a comparison needs besides Settings, less DATA.
COMPARE: dict[str, Any] = {
    "target": TARGET["target"],
    "models": text_option("models", "LIST", "The first is the reference; softmax,weston_watkins,crammer_singer."),
    "cv": text_option("cv", "FOLDS", "Judge by so many folds; 5."),
    "repeats": text_option("repeats", "COUNT", "Draw the folds so many times; 2 (10 for a decision)."),
    "test": text_option("test", "FILE", "Judge on the rows of this file, and not by folds."),
    "validation_fraction": text_option("validation-fraction", "F", "Judge on this part of the rows, and not by folds."),
    "metric": text_option(
        "metric", "NAME", "What is tested: accuracy (default), balanced_accuracy, macro_f1, log_loss, brier."
    ),
    "tune": _switch("tune", "Choose alpha of each loss inside its training rows."),
    "group": TARGET["group"],
    "shape": text_option("shape", "HxW", "Rows are images of this size: their weights are drawn so."),
    "report": text_option(
        "report", "FILE.html", "Write a page with all numbers and pictures, which needs nothing else."
    ),
    "plot": text_option("plot", "FILE", "Draw one picture: .png, .svg or .pdf."),
    "picture": text_option("picture", "KIND", "Which: loss (default), metrics, differences, margins, …"),
    "folds_out": text_option("folds-out", "FILE", "Write which fold each row is in, as CSV."),
    # Every row counts once, with one label.
    **{name: option for name, option in TABLES.items() if name not in ("weight_col", "target_proba", "unknown")},
    "features": text_option("features", "A,B,…", "Learn from these columns only; of two, decision regions are drawn."),
}

#: Of a prediction.
PREDICT: dict[str, Any] = {
    "keep": text_option("keep", "A,B,…", "Carry these columns over."),
    "missing": text_option("missing", "HOW", "Missing cells: as in training (recipe, the default), error, or skip."),
    "format": text_option("format", "KIND", "csv, jsonl or parquet; by the suffix unless given."),
}

CONFIG = text_option("config", "FILE.toml", "Read options from here; those given as flags go before.")


@dataclass(frozen=True)
class Manner:
    """How a command speaks: as one JSON object, or only when something is wrong."""

    json: bool = False
    quiet: bool = False


_MANNER: dict[str, Any] = {
    "json": Annotated[bool, typer.Option("--json", help="Print one JSON object.", show_default=False)],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.", show_default=False)],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", show_default=False)],
}


def takes(**groups: dict[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a parameter named like a keyword receives the options of that group that were given, as a dict."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.option_groups = groups  # type: ignore[attr-defined]
        return function

    return mark


def expand(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """The same command with each group of options in place of the parameter that receives it.

    A parameter ``manner`` stands for ``--json``, ``--quiet`` and ``--debug``.
    """
    groups: dict[str, dict[str, Any]] = {**getattr(function, "option_groups", {}), "manner": _MANNER}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        default = False if name == "manner" else None
        parameters += [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for option, annotation in groups[name].items()
        ]
    parameters.sort(key=lambda parameter: parameter.default is not inspect.Parameter.empty)

    def command(**values: Any) -> int | None:
        for name, group in groups.items():
            given = {option: values.pop(option) for option in group}
            if name == "manner":
                values[name] = Manner(given["json"], given["quiet"])
            else:
                values[name] = {option: value for option, value in given.items() if value is not None}
        return function(**values)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
