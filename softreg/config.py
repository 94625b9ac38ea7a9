"""What a fit is asked to do: defaults, under a TOML file, under flags, each value checked and its origin named.

A key has one name everywhere: field of `Settings` or `Run`, key in the file, flag with hyphens, parameter of the
estimators.  Text from the command line and values from the file get their type from the field they fill.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args, get_type_hints

from softreg.errors import UsageError
from softreg.tables.options import TableOptions
from softreg.text import nearest, safe_text
from softreg.training import Settings

#: Other names of keys.
ALIASES = {"seed": "random_state"}
#: A configuration file is written by hand: whatever is larger is something else.
LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Run:
    """What a fit is about, besides its Settings: where data come from and where results go.

    Parameters
    ----------
    data : str or list of str, optional
        Files of one table, or a pattern of their names; relative paths count from where the command runs.
    target : str, optional
        Column of labels.
    group : str, optional
        Column whose equal values stay on one side of every split.
    validation : str, optional
        File of rows kept apart.
    validation_fraction : float, optional
        Part of the rows kept apart instead.
    tune : bool
        Choose alpha by cross-validation.
    output, plot, history : str, optional
        Files to write: the model, the loss curve, a CSV row for each iteration.
    delimiter, header, encoding, na, decimal, max_features
        How the table is read: see `softreg.tables.TableOptions`, as for
    features, drop, categorical, id_col, weight_col, target_proba, missing, unknown, max_levels
        what its columns are for.
    """

    data: str | list | None = None
    target: str | None = None
    group: str | None = None
    validation: str | None = None
    validation_fraction: float | None = None
    tune: bool = False
    output: str | None = None
    plot: str | None = None
    history: str | None = None
    delimiter: str | None = None
    header: bool = True
    encoding: str | None = None
    na: str | list | None = None
    decimal: str = "."
    max_features: int | None = None
    features: str | list | None = None
    drop: str | list | None = None
    categorical: str | list | None = None
    id_col: str | None = None
    weight_col: str | None = None
    target_proba: str | None = None
    missing: str = "error"
    unknown: str = "ignore"
    max_levels: int = 100

    @property
    def tables(self) -> TableOptions:
        """How a table is read and prepared; UsageError for what cannot be."""
        return TableOptions.from_text(**asdict(self))


@dataclass(frozen=True)
class CompareRun(Run):
    """What a comparison is about.

    Parameters
    ----------
    models : str
        The models, the reference first.
    cv, repeats : int, optional
        Folds, and how often they are drawn.
    test : str, optional
        File of rows to judge on, in the place of folds.
    metric : str
        The primary one.
    shape : str, optional
        HEIGHTxWIDTH of rows that are images.
    picture : str
        What ``plot`` draws.
    report, folds_out : str, optional
        Files to write: the page, and which fold each row is in.
    """

    models: str = "softmax,weston_watkins,crammer_singer"
    cv: int | None = None
    repeats: int | None = None
    test: str | None = None
    metric: str = "accuracy"
    shape: str | None = None
    picture: str = "loss"
    report: str | None = None
    folds_out: str | None = None


@dataclass(frozen=True)
class Config:
    """A complete request: what to learn from and how; and what was asked for in vain, a sentence each."""

    run: Any  # Run, or what a command has made of it
    settings: Settings
    idle: tuple[str, ...] = field(default=(), compare=False)

    def to_toml(self) -> str:
        """The effective configuration, all of it: a file that asks for the same again."""
        values = {**asdict(self.run), **asdict(self.settings)}
        return "\n".join(
            f"# {key} is not set" if value is None else f"{key} = {_toml(value)}" for key, value in values.items()
        )


def configure(
    given: Mapping[str, Any],
    path: str | None = None,
    keys: Sequence[str] | None = None,
    command: str = "softreg fit",
    kind: type[Run] = Run,
) -> Config:
    """Defaults, under the file at ``path``, under what was ``given`` as flags.

    Parameters
    ----------
    given : mapping of key to text or bool
        Flags; absent where not given.
    path : str, optional
        A TOML file.
    keys : sequence of str, optional
        What the command takes; all by default.
    command : str
        Whose options these are, for messages.
    kind : type
        Of the request: `Run`, or `CompareRun`.

    Raises
    ------
    UsageError
        The file cannot be read; a key that does not exist, or not here; a value of the wrong type or out of range,
        or values that do not go together.
    """
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    if path is not None:
        shown = safe_text(path)
        for key, value in read_toml(path, keys or KEYS, command).items():
            values[key], places[key] = value, f"{shown}: {key} = "
    # Two ways to say the same: a flag replaces the file's.
    for key, other in (
        ("alpha", "C"),
        ("C", "alpha"),
        ("validation", "validation_fraction"),
        ("validation_fraction", "validation"),
    ):
        if key in given and other not in given:
            values.pop(other, None)
    for key, text in given.items():
        values[key], places[key] = read_value(key, text), f"--{_flag(key)} "
    for key, value in values.items():
        _check_number(key, value, places[key])
    if "alpha" in given and "C" in given:
        raise UsageError(f"--C {values['C']} and --alpha {values['alpha']} set the same thing: give one of them")
    if values.get("class_weight") not in (None, "balanced"):
        raise UsageError(f"{places['class_weight']}{_shown(values['class_weight'])}: balanced, or none")
    run = kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})
    _check_run(run, places)
    try:
        settings = Settings(**{f.name: values[f.name] for f in fields(Settings) if f.name in values})
    except ValueError as error:
        raise UsageError(_settings_message(error, values, places)) from None
    if settings.early_stopping and run.validation is None and run.validation_fraction is None:
        run = kind(**{**asdict(run), "validation_fraction": 0.1})  # as the estimators do
    return Config(run, settings, tuple(_idle(settings, places, several_losses=kind is CompareRun)))


#: Keys that play a part with some values of another only.
_ONLY_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    "margin": ("loss", ("weston_watkins", "crammer_singer")),
    "learning_rate": ("solver", ("gd", "momentum", "nesterov", "sgd", "adam")),
    "momentum": ("solver", ("momentum", "sgd")),
    "batch_size": ("solver", ("sgd", "adam")),
}


def _idle(settings: Settings, places: Mapping[str, str], several_losses: bool) -> Iterator[str]:
    """What was set to another value than the default and changes nothing."""
    for key, (other, choices) in _ONLY_WITH.items():
        value, chosen = getattr(settings, key), getattr(settings, other)
        if value == getattr(Settings, key) or chosen in choices:
            continue
        if not (other == "loss" and several_losses):
            yield f"{places[key]}{_shown(value)} plays no part with {other} {chosen}: only with {', '.join(choices)}"
    patience = settings.n_iter_no_change
    if patience != Settings.n_iter_no_change and not settings.early_stopping:
        yield f"{places['n_iter_no_change']}{patience} plays no part without --early-stopping"


def read_toml(path: str, keys: Sequence[str], command: str = "softreg fit") -> dict[str, Any]:
    """The keys and values of a configuration file; UsageError where it is not one, in a line that says why."""
    shown = safe_text(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{shown}: cannot be read: {reason}") from None
    if len(raw) > LARGEST_FILE:
        raise UsageError(f"{shown}: larger than a configuration file can be ({LARGEST_FILE // 1_000_000} MB)")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise UsageError(
            f"{shown}: starts with a byte-order mark, which TOML does not allow: save it as UTF-8 without one"
        )
    try:
        table = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown}: not TOML: {safe_text(_lower(str(error)))}") from None
    except RecursionError:
        raise UsageError(f"{shown}: nested too deeply: a key and a value on each line is all there is") from None
    values: dict[str, Any] = {}
    for written, value in table.items():
        key = written.replace("-", "_")
        key = ALIASES.get(key, key)
        if key not in keys:
            meant = nearest(key, [*keys, *ALIASES])
            hint = f"did you mean {meant}?" if meant else f"{command} --help lists the options"
            raise UsageError(f"{shown}: unknown key '{safe_text(written, 60)}' ({hint})")
        if key in values:
            raise UsageError(f"{shown}: '{safe_text(written, 60)}' sets {key} a second time")
        values[key] = _typed(key, value, shown)
    return values


def _kinds() -> dict[str, tuple[type, ...]]:
    """Of each key the types its value may have."""
    hints = {**get_type_hints(CompareRun), **get_type_hints(Settings)}
    kinds = {key: tuple(get_args(hint)) or (hint,) for key, hint in hints.items()}
    # A weight for each class is for the estimators: a table's classes are not known before it is read.
    return {**kinds, "class_weight": (str, type(None))}


#: Key → the types its value may have.
KINDS = _kinds()
#: What a fit takes.
KEYS = [f.name for f in (*fields(Run), *fields(Settings))]
_CHOICES = ("loss", "solver", "class_weight", "learning_rate", "metric")
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list of texts",
    type(None): "none",
}


def _typed(key: str, value: Any, shown: str) -> Any:
    """A value of the file, checked against the types of its key; 1 is a number too, true is not."""
    kinds = KINDS[key]
    if isinstance(value, str) and str in kinds:
        return value.replace("-", "_") if key in _CHOICES else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        fits = type(value) in kinds and not (isinstance(value, list) and not all(type(v) is str for v in value))
    elif isinstance(value, int):
        fits = int in kinds or float in kinds
        if fits and int not in kinds:
            try:
                value = float(value)
            except OverflowError:
                value = math.inf
    else:
        fits = float in kinds or (int in kinds and value.is_integer())
        value = int(value) if fits and float not in kinds else value
    if not fits:
        raise UsageError(f"{shown}: {key} = {_shown(value)}: expected {_expected(kinds)}")
    return value


def read_value(key: str, text: Any) -> Any:
    """Text of the command line as a value of the type of its key; ``none`` unsets what a file has set."""
    kinds = KINDS[key]
    if isinstance(text, bool | list):
        return text
    if type(None) in kinds and str not in kinds and text.lower() == "none":
        return None
    if key == "class_weight" and text.lower() == "none":
        return None
    if int in kinds or float in kinds:
        try:
            number = float(text)
            if int not in kinds:
                return number
            if number.is_integer():
                return int(text) if re.fullmatch(r"[+-]?[0-9]+", text.strip()) else int(number)
        except ValueError:
            pass
        if str not in kinds:
            raise UsageError(f"--{_flag(key)} {_shown_text(text)}: expected {_expected(kinds)}")
    return text.replace("-", "_") if key in _CHOICES else text


def _check_number(key: str, value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not math.isfinite(value):
        raise UsageError(f"{place}{value}: a finite number is needed")
    if isinstance(value, int) and abs(value) >= 2**31:
        raise UsageError(f"{place}{_shown(value)}: too large")
    if key == "random_state" and value < 0:
        raise UsageError(f"{place}{value}: a whole number, 0 or above")
    if key == "n_jobs" and value < -1:
        raise UsageError(f"{place}{value}: a number of threads, or -1 for all cores")
    least = {"cv": 2, "repeats": 1}.get(key)
    if least is not None and value < least:
        raise UsageError(f"{place}{value}: {least} or more")


def _check_run(run: Run, places: Mapping[str, str]) -> None:
    fraction = run.validation_fraction
    if fraction is not None and not 0 < fraction < 1:
        raise UsageError(f"{places['validation_fraction']}{fraction:g}: a part of the rows, above 0 and below 1")
    if run.validation is not None and fraction is not None:
        raise UsageError("--validation and --validation-fraction both name validation rows: give one of them")
    for key, value in asdict(run).items():
        if value == "" or value == []:
            raise UsageError(f"{places[key].strip()}: is empty, a name is needed")
    try:
        run.tables  # noqa: B018
    except UsageError as error:
        flag, _, rest = str(error).partition(" ")
        place = places.get(flag.removeprefix("--").replace("-", "_"), f"{flag} ")
        raise UsageError(f"{place}{rest}") from None


def _settings_message(error: ValueError, values: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """What Settings found wrong, said of the flag or the line of the file that it came from."""
    text = str(error)
    match = re.match(r"(\w+)=(?:'[^']*'|\S+): (.*)$", text, re.DOTALL)
    key = match[1] if match else ""
    if not match or key not in places:
        return re.sub(r"\b(\w+)=", lambda m: f"--{_flag(m[1])} " if m[1] in KINDS else m[0], text)
    message = f"{places[key]}{_shown(values[key])}: {match[2]}"
    if match[2].startswith("one of "):
        meant = nearest(str(values[key]), match[2].removeprefix("one of ").split(", "))
        message += f" (did you mean {meant}?)" if meant else ""
    return message


def _flag(key: str) -> str:
    return key.replace("_", "-")


def _expected(kinds: tuple[type, ...]) -> str:
    kinds = tuple(kind for kind in kinds if kind is not type(None) and kind is not dict)
    return " or ".join(_WORDS[kind] for kind in kinds if not (kind is int and float in kinds))


def _shown(value: Any) -> str:
    return _shown_text(value) if isinstance(value, str) else safe_text(f"{value}", 40)


def _shown_text(text: str) -> str:
    return safe_text(text, 60) if text else "''"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # A basic string: JSON's escapes are a part of TOML's, except that DEL must be escaped too.
        import json

        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
