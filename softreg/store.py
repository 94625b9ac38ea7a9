"""A fitted model and the one file it is kept in.

The file is a zip archive whose members are stored as they are: ``header.json`` (everything that is text or a number),
float64 arrays as ``.npy``, and ``sha256.txt``, the checksums of all of them.  It holds no clock reading, date, path,
host or number of threads, so that the same fit gives the same bytes.  Loading runs no code that the file brings:
nothing is unpickled, and whatever is not exactly what `Model.save` writes is refused in one line.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from softreg import __version__
from softreg.certificate import Certificate, DualRows, Witness
from softreg.errors import DataError, ModelFileError, OutputError, UsageError
from softreg.files import Path, atomic_write
from softreg.losses import LOSSES
from softreg.softmax import log_softmax, softmax
from softreg.tables.labels import text_array
from softreg.tables.recipe import Recipe
from softreg.text import plain, safe_text

if TYPE_CHECKING:
    from softreg.training import Settings

Array = NDArray[Any]

FORMAT = "softreg model"
#: Raised when an older softreg could misread a file.
SCHEMA = 2

_HEADER, _SUMS = "header.json", "sha256.txt"
_ARRAYS = ("W", "mean", "scale", "step", "dual")
_STATUSES = ("certified", "stationary", "not_certified", "stopped_early", "separated", "diverged", "interrupted")
#: Entries of X turned into float64 at a time.
_BLOCK_ENTRIES = 1 << 18


def _versions() -> dict[str, str]:
    return {"softreg": __version__, "numpy": np.__version__}


@dataclass(frozen=True, eq=False)
class Model:
    """What a fit found, what proves it, and how to use it.

    Attributes
    ----------
    W : (p + 1, K) float64 array
        For columns as they are in the data; the last row is the intercept (zeros without one).
    classes : (K,) array
        Labels: text, numbers or booleans, all different.
    settings_json : dict
        ``Settings.to_json()``: what was asked for.  `settings` is the same as `Settings`.
    alpha, C : float
        The strength of the penalty both ways; C is infinite where alpha is 0.
    n_rows : int
    class_counts : (K,) array
        Rows of each class that were trained on (or their shares of soft labels).
    objective : float
    certificate, witness : Certificate, Witness or None
        ``witness.step`` (p + 1, K) in the coordinates that were solved in (standardized ones if ``scale`` is there).
    status, message, solver : str
    feature_names : sequence of str or None
    recipe : Recipe or None
        How a table becomes X and y.
    fingerprint : str or None
        Of the decoded table that was trained on.
    mean, scale : (p,) arrays or None
        Of the columns, where they were standardized.
    history : dict of str to list
        As `softreg.minimise.History`; the file keeps it without seconds.
    metrics : dict
        ``{"train": {...}, "validation": {...} or None}``.
    versions : dict
        Of softreg and numpy.
    split : dict or None
        How validation rows were chosen, so that the training rows can be found again.
    """

    W: Array
    classes: Array
    settings_json: dict[str, Any]
    alpha: float
    C: float
    n_rows: int
    class_counts: Array
    objective: float
    certificate: Certificate | None
    witness: Witness | None
    status: str
    message: str
    solver: str
    feature_names: Sequence[str] | None = None
    recipe: Recipe | None = None
    fingerprint: str | None = None
    mean: Array | None = None
    scale: Array | None = None
    history: Mapping[str, list[Any]] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=_versions)
    split: dict[str, Any] | None = None

    @property
    def loss(self) -> str:
        """The name of the loss: softmax, weston_watkins or crammer_singer."""
        return str(self.settings_json["loss"])

    @property
    def settings(self) -> Settings:
        """What was asked for; ModelFileError where a file asks for what cannot be."""
        from softreg.training import Settings  # here, for predicting needs neither solvers nor scipy

        try:
            return Settings.from_json(self.settings_json)
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"the model's settings are not valid: {safe_text(error)}") from None

    # --- predicting ---

    def decision_function(self, X: Any) -> Array:
        """Logits X W + b, (n, K) float64, of rows X (n, p), dense or sparse.

        Raises
        ------
        DataError
            Another number of columns; `NotFinite` for values so large that the logits overflow.
        """
        p, K = self.W.shape[0] - 1, self.W.shape[1]
        if X.ndim != 2 or X.shape[1] != p:
            raise DataError(f"X has {X.shape[1] if X.ndim == 2 else 'no'} columns, the model {p}")
        Z = np.empty((X.shape[0], K))
        step = max(64, _BLOCK_ENTRIES // max(p, 1))
        # One thread of BLAS: a product's last bits depend on their number.
        with _one_thread(), np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, X.shape[0], step):
                block = X[start : start + step]
                if isinstance(block, np.ndarray):
                    Z[start : start + step] = (self.W[:-1].T @ np.asarray(block, dtype=np.float64).T).T + self.W[-1]
                else:
                    Z[start : start + step] = block.astype(np.float64) @ self.W[:-1] + self.W[-1]
        bad = np.flatnonzero(~np.isfinite(Z).all(axis=1))
        if len(bad):
            raise NotFinite(int(bad[0]))
        return Z

    def predict(self, X: Any) -> Array:
        """The label of the largest logit of each row, (n,)."""
        return self.classes[self.decision_function(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, K) of a softmax model; UsageError for hinges, which have none."""
        self.check_has_probabilities()
        return softmax(self.decision_function(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities (n, K), exact where those are too small to be."""
        self.check_has_probabilities()
        return log_softmax(self.decision_function(X))

    def check_has_probabilities(self) -> None:
        """UsageError unless the loss is the softmax."""
        if self.loss != "softmax":
            raise UsageError(
                f"a {self.loss} model has no probabilities (leave out --proba, or fit with --loss softmax)"
            )

    # --- the file ---

    def save(self, path: Path) -> None:
        """Write the model to ``path``, whole or not at all.

        Raises
        ------
        OutputError
            ``path`` cannot be written, or is a file that is no softreg model.
        """
        check_replaceable(path)
        content = self.to_bytes()
        with atomic_write(path) as file:
            file.write(content)

    def to_bytes(self) -> bytes:
        """The file's content: the same for the same model."""
        arrays = {"W": self.W, "mean": self.mean, "scale": self.scale}
        if self.witness is not None:
            arrays["step"] = self.witness.step
            arrays["dual"] = None if self.witness.dual is None else self.witness.dual.entries
        members = {f"{name}.npy": _npy(array) for name, array in arrays.items() if array is not None}
        members[_HEADER] = json.dumps(self._header(), sort_keys=True, allow_nan=False).encode()
        sums = "".join(f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in sorted(members))
        members[_SUMS] = sums.encode()
        memory = BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(members):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
                archive.writestr(entry, members[name])
        return memory.getvalue()

    def _header(self) -> dict[str, Any]:
        witness = None
        if self.witness is not None:
            witness = {
                "lag": self.witness.lag,
                "temperature": self.witness.temperature,
                "envelope": self.witness.envelope,
            }
        recipe = None if self.recipe is None else self.recipe.to_json()
        names = self.feature_names if self.recipe is None else None  # a recipe knows them
        header = {
            "format": FORMAT,
            "schema": SCHEMA,
            "versions": self.versions,
            "classes": _classes_to_json(self.classes),
            "feature_names": None if names is None else list(names),
            "recipe": recipe,
            "settings": self.settings_json,
            "alpha": self.alpha,
            "C": self.C,
            "n_rows": self.n_rows,
            "class_counts": self.class_counts,
            "fingerprint": self.fingerprint,
            "objective": self.objective,
            "certificate": None if self.certificate is None else asdict(self.certificate),
            "witness": witness,
            "status": self.status,
            "message": self.message,
            "solver": self.solver,
            "history": {name: column for name, column in self.history.items() if name != "seconds"},
            "metrics": self.metrics,
            "split": self.split,
        }
        values: dict[str, Any] = plain(header)
        return values

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model in the file at ``path``.

        Raises
        ------
        ModelFileError
            There is no such file, it is damaged, not a softreg model, or of a newer softreg; in one line.
        """
        shown = safe_text(os.fspath(path), 240)
        try:
            with open(path, "rb") as file:
                if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
                    raise OSError(None, "it is a device")
                content = file.read()
        except FileNotFoundError:
            raise ModelFileError(f"{shown}: no such file") from None
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ModelFileError(f"{shown}: cannot be read: {safe_text(reason[:1].lower() + reason[1:])}") from None
        return cls.from_bytes(content, shown)

    @classmethod
    def from_bytes(cls, content: bytes, shown: str = "model") -> Self:
        """The model that `to_bytes` wrote; ``shown`` is its name in messages."""
        _refuse_foreign(content, shown)
        try:
            members = _members(content)
            header = _read_header(members)
            _check_sums(members)
            return cls(**_fields(header, _read_arrays(members)))
        except ModelFileError as error:
            raise ModelFileError(f"{shown}: {error}") from None
        except Exception as error:  # hostile bytes meet zip, json and numpy here, each with errors of its own
            finding = safe_text(str(error).split("\n", 1)[0] or type(error).__name__)
            raise ModelFileError(f"{shown}: damaged or not a softreg model: {finding}") from None


class NotFinite(DataError):
    """A row, ``row`` from 0, whose logits are no finite numbers; ``named(n)`` is the same of row n, from 1."""

    def __init__(self, row: int) -> None:
        self.row = row
        super().__init__(self.named(row + 1))

    def named(self, number: int) -> str:
        return f"row {number}: values so large, or none, that the logits are not finite"


def is_model(path: Path) -> bool:
    """Whether the file at ``path`` says that it is a softreg model; it may still be damaged inside."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_HEADER) as header:
            return json.loads(header.read(1 << 28))["format"] == FORMAT
    except Exception:  # whatever it is that cannot be read, it is no model
        return False


def check_replaceable(path: Path) -> None:
    """Raise OutputError if ``path`` is a file that is no softreg model: a model never takes the place of one."""
    if os.path.isfile(path) and not is_model(path):
        raise OutputError(f"{safe_text(path)}: exists and is not a softreg model (choose another --output)")


def _one_thread() -> Any:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


# --- writing ------------------------------------------------------------------------------------------------------


def _npy(array: Array) -> bytes:
    memory = BytesIO()
    np.lib.format.write_array(memory, np.ascontiguousarray(array, dtype="<f8"), version=(1, 0), allow_pickle=False)
    return memory.getvalue()


def _classes_to_json(classes: Array) -> dict[str, Any]:
    kind = classes.dtype.kind
    values = classes.tolist()
    if kind == "O" and all(isinstance(label, str) for label in values):
        return {"type": "object", "labels": values}
    if kind not in "biufU" or (classes.dtype.itemsize > 8 and kind == "f"):
        raise OutputError(f"classes of type {classes.dtype} cannot be saved: labels must be text, numbers or booleans")
    return {"type": "str" if kind == "U" else classes.dtype.name, "labels": values}


# --- reading ------------------------------------------------------------------------------------------------------


def _refuse_foreign(content: bytes, shown: str) -> None:
    """Refuse what is plainly something else, by its content and not by its name."""
    if not content:
        raise ModelFileError(f"{shown}: the file is empty")
    if content.startswith(b"\x1f\x8b"):
        raise ModelFileError(
            f"{shown}: gzip, as of a packed table or pickle, which no softreg model is: refused unopened"
        )
    if content[0] == 0x80 or content.startswith((b"(dp", b"ccopy_reg", b"x\x9c", b"x\x01", b"x\xda")):
        raise ModelFileError(f"{shown}: a pickle or joblib file, which would run code of its own: refused unopened")
    if not content.startswith(b"PK"):
        raise ModelFileError(f"{shown}: not a softreg model (softreg fit DATA --output MODEL writes one)")


def _members(content: bytes) -> dict[str, bytes]:
    """The archive's members by name, each stored as it is, none of them twice, none that does not belong."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if _HEADER not in names:
            raise ModelFileError("not a softreg model: an archive without header.json")
        for entry in entries:
            if entry.flag_bits & 0x1:
                raise ModelFileError("the archive is encrypted, a softreg model never is")
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ModelFileError("the archive is compressed, a softreg model never is")
            if entry.file_size > len(content):
                raise ModelFileError("a member is larger than the file")
        if len(set(names)) < len(names):
            raise ModelFileError("the archive has two members of one name")
        return {entry.filename: archive.read(entry) for entry in entries}


def _read_header(members: dict[str, bytes]) -> dict[str, Any]:
    header = json.loads(members[_HEADER], parse_constant=_refuse_constant)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError("not a softreg model: its header does not say so")
    schema = header.get("schema")
    if type(schema) is not int or schema < 1:
        raise ModelFileError("schema is not as softreg writes it")
    if schema > SCHEMA:
        versions = header.get("versions")
        writer = versions.get("softreg") if isinstance(versions, dict) else None
        raise ModelFileError(
            f"written by softreg {safe_text(writer, 40)} as schema {schema}; "
            f"softreg {__version__} reads up to schema {SCHEMA}: use the newer one"
        )
    return header


def _refuse_constant(name: str) -> None:
    raise ModelFileError(f"{name} in the header, where only finite numbers may be")


def _check_sums(members: dict[str, bytes]) -> None:
    expected = {f"{name}.npy" for name in _ARRAYS} | {_HEADER}
    foreign = set(members) - expected - {_SUMS}
    if foreign:
        raise ModelFileError(f"a member that does not belong: '{safe_text(sorted(foreign)[0], 60)}'")
    if _SUMS not in members:
        raise ModelFileError("the checksums are missing")
    names = sorted(set(members) - {_SUMS})
    sums = "".join(f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in names)
    if sums.encode() != members[_SUMS]:
        raise ModelFileError("damaged: its content does not match its checksums")


def _read_arrays(members: dict[str, bytes]) -> dict[str, Array]:
    return {name: _read_npy(name, members[f"{name}.npy"]) for name in _ARRAYS if f"{name}.npy" in members}


def _read_npy(name: str, content: bytes) -> Array:
    """A float64 array; nothing is allocated that the bytes do not fill."""
    memory = BytesIO(content)
    if np.lib.format.read_magic(memory) != (1, 0):
        raise ModelFileError(f"array {name} is of another npy version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(memory)
    if dtype != np.dtype("<f8") or fortran:
        raise ModelFileError(f"array {name} is {safe_text(dtype, 40)}, not float64 in row order")
    body = content[memory.tell() :]
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) * 8 != len(body):
        raise ModelFileError(f"array {name} is said to be of shape {safe_text(shape, 40)}, which it does not fill")
    array = np.frombuffer(body, dtype="<f8").reshape(shape).astype(np.float64)
    if not np.isfinite(array).all():
        raise ModelFileError(f"array {name} holds a value that is not finite")
    return array


def _check(holds: Any, what: str) -> None:
    if not holds:
        raise ModelFileError(f"{what} is not as softreg writes it")


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_summary(found: object) -> bool:
    """Whether it is what `Metrics.summary` gives."""
    if not isinstance(found, dict) or not isinstance(found.get("interval", []), list):
        return False
    numbers = [found.get(name) for name in ("n", "n_right", "accuracy", "loss")]
    return all(value is None or _number(value) for value in [*numbers, *found.get("interval", [])])


def _is_split(split: object) -> bool:
    """Whether it is what a fit notes of its validation rows."""
    if not isinstance(split, dict) or not isinstance(split.get("group", ""), str | None):
        return False
    return split.get("kind") != "file" or isinstance(split.get("fingerprint"), str)


def _are_settings(settings: dict[str, Any], n_classes: int) -> bool:
    """Whether flags are flags and class weights are of classes that there are."""
    flags = ("squared", "fit_intercept", "standardize", "early_stopping")
    weights = settings.get("class_weight")
    codes = set(map(str, range(n_classes)))
    return all(type(settings.get(name, False)) is bool for name in flags) and (
        weights is None or weights == "balanced" or (isinstance(weights, dict) and set(weights) <= codes)
    )


def _fields(header: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Any]:
    """The fields of `Model`, every one of them checked."""
    keys = {
        "format", "schema", "versions", "classes", "feature_names", "recipe", "settings", "alpha", "C", "n_rows",
        "class_counts", "fingerprint", "objective", "certificate", "witness", "status", "message", "solver", "history",
        "metrics", "split",
    }  # fmt: skip
    _check(set(header) == keys, "the set of keys in the header")
    W = arrays.get("W")
    if W is None or W.ndim != 2 or W.shape[0] < 2:
        raise ModelFileError("array W is missing, or not a matrix of weights")
    p, K = W.shape[0] - 1, W.shape[1]
    classes = _read_classes(header["classes"])
    if len(classes) != K or K < 2:
        raise ModelFileError(f"{len(classes)} classes for weights of {K}")
    for name in ("mean", "scale"):
        _check(name not in arrays or arrays[name].shape == (p,), f"array {name}")
    _check(("mean" in arrays) == ("scale" in arrays), "the pair of arrays mean and scale")
    _check("scale" not in arrays or (arrays["scale"] > 0).all(), "array scale")
    _check("step" not in arrays or arrays["step"].shape == W.shape, "array step")
    names, recipe = header["feature_names"], None
    if header["recipe"] is not None:
        recipe = _read_recipe(header)
        names = recipe.features
    elif names is not None:
        _check(isinstance(names, list) and all(isinstance(name, str) for name in names), "feature_names")
        names = tuple(dict.fromkeys(names))  # of which none may be there twice, as a recipe sees to
    if names is not None and len(names) != p:
        raise ModelFileError(f"{len(names)} feature names for weights of {p} features")
    settings, alpha, C = header["settings"], header["alpha"], header["C"]
    _check(isinstance(settings, dict) and settings.get("loss") in LOSSES, "settings")
    _check(_number(alpha) and alpha >= 0, "alpha")
    _check(C is None or (_number(C) and C > 0), "C")
    _check(type(header["n_rows"]) is int and header["n_rows"] >= 0, "n_rows")
    counts = header["class_counts"]
    _check(isinstance(counts, list) and len(counts) == K and all(map(_number, counts)), "class_counts")
    fingerprint = header["fingerprint"]
    _check(fingerprint is None or isinstance(fingerprint, str), "fingerprint")
    objective = header["objective"]
    _check(objective is None or _number(objective), "objective")
    _check(header["status"] in _STATUSES, "status")
    for name in ("message", "solver"):
        _check(isinstance(header[name], str), name)
    for name in ("metrics", "versions"):
        _check(isinstance(header[name], dict), name)
    _check(all(found is None or _is_summary(found) for found in header["metrics"].values()), "metrics")
    split = header["split"]
    _check(split is None or _is_split(split), "split")
    _check(_are_settings(settings, K), "settings")
    return {
        "W": W,
        "classes": classes,
        "settings_json": settings,
        "alpha": float(alpha),
        "C": math.inf if C is None else float(C),
        "n_rows": header["n_rows"],
        "class_counts": np.array(counts),
        "objective": math.nan if objective is None else float(objective),
        "certificate": _read_certificate(header["certificate"]),
        "witness": _read_witness(header, arrays, settings["loss"]),
        "status": header["status"],
        "message": header["message"],
        "solver": header["solver"],
        "feature_names": names,
        "recipe": recipe,
        "fingerprint": fingerprint,
        "mean": arrays.get("mean"),
        "scale": arrays.get("scale"),
        "history": _read_history(header["history"]),
        "metrics": header["metrics"],
        "versions": header["versions"],
        "split": header["split"],
    }


def _read_recipe(header: dict[str, Any]) -> Recipe:
    """The recipe; in schema 1 the names of its columns were the feature names."""
    if header["schema"] == 1:
        names = header["feature_names"]
        _check(isinstance(header["recipe"], dict) and isinstance(names, list), "recipe")
        return Recipe.from_json({"features": names, **header["recipe"]})
    _check(header["feature_names"] is None, "feature_names")
    return Recipe.from_json(header["recipe"])


def _read_classes(value: Any) -> Array:
    _check(isinstance(value, dict) and set(value) == {"type", "labels"}, "classes")
    kind, labels = value["type"], value["labels"]
    _check(isinstance(kind, str) and isinstance(labels, list), "classes")
    if len({(type(label), label) for label in labels}) < len(labels):
        raise ModelFileError("two classes have one label")
    if kind in ("str", "object"):
        _check(all(isinstance(label, str) for label in labels), "the list of labels")
        return np.array(labels, dtype=object) if kind == "object" else text_array(labels)
    dtype = np.dtype(kind)
    _check(dtype.kind in "biuf" and dtype.itemsize <= 8, "the type of labels")
    expected: tuple[type, ...] = {"b": (bool,), "f": (float, int)}.get(dtype.kind, (int,))
    _check(all(type(label) in expected for label in labels), "the list of labels")
    return np.array(labels, dtype=dtype)


def _read_certificate(value: Any) -> Certificate | None:
    if value is None:
        return None
    _check(isinstance(value, dict) and set(value) == {"kind", "gap", "relative", "kkt"}, "certificate")
    _check(value["kind"] in ("gap", "kkt"), "certificate")
    # null where it was infinite: nothing was proved
    unknown = math.inf if value["kind"] == "gap" else None
    numbers: dict[str, float | None] = {}
    for name, missing in (("gap", unknown), ("relative", unknown), ("kkt", math.inf)):
        _check(value[name] is None or (_number(value[name]) and value[name] >= 0), "certificate")
        numbers[name] = missing if value[name] is None else float(value[name])
    return Certificate(value["kind"], **numbers)  # type: ignore[arg-type]


def _read_witness(header: dict[str, Any], arrays: dict[str, Array], loss: str) -> Witness | None:
    value, step, entries = header["witness"], arrays.get("step"), arrays.get("dual")
    if value is None:
        _check(step is None and entries is None, "an array of the witness")
        return None
    _check(isinstance(value, dict) and set(value) == {"lag", "temperature", "envelope"}, "witness")
    _check(value["lag"] in (0, 1) and _number(value["temperature"]) and value["temperature"] >= 0, "witness")
    _check(value["temperature"] == 0 or loss != "softmax", "witness")  # only hinges have kinks to smooth
    _check(isinstance(value["envelope"], bool) and (value["temperature"] > 0 or not value["envelope"]), "witness")
    dual = None
    if entries is not None:
        shape = header["n_rows"], arrays["W"].shape[1]
        _check(loss != "softmax" and entries.ndim == 2 and entries.shape[1] == 3, "array dual")
        rows, classes, v = entries.T
        whole = (np.floor(entries[:, :2]) == entries[:, :2]).all()
        inside = ((rows >= 0) & (rows < shape[0]) & (classes >= 0) & (classes < shape[1]) & (v >= 0)).all()
        _check(whole and inside and (np.diff(rows) >= 0).all(), "array dual")
        dual = DualRows(entries, shape)
    return Witness(step, int(value["lag"]), float(value["temperature"]), value["envelope"], dual)


def _read_history(value: Any) -> dict[str, list[Any]]:
    _check(isinstance(value, dict) and all(isinstance(column, list) for column in value.values()), "history")
    _check(len({len(column) for column in value.values()}) <= 1, "history")
    _check(all(cell is None or _number(cell) for column in value.values() for cell in column), "history")
    history: dict[str, list[Any]] = value
    return history


__all__ = ["FORMAT", "SCHEMA", "Model", "check_replaceable", "is_model"]
