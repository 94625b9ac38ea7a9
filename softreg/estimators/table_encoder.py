"""The preparation of a table as a transformer of scikit-learn: the recipe that the command line stores in a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import check_is_fitted, validate_data

from softreg.errors import DataError
from softreg.estimators.inputs import keeps_columns_on_error
from softreg.tables.options import MISSING, UNKNOWN, TableOptions


@contextmanager
def _in_python() -> Iterator[None]:
    """What is said of a file and its flags, said of X and the parameters of the encoder."""
    try:
        yield
    except DataError as error:
        said = str(error).replace("empty cells:", "missing values (NaN):").replace("--missing drop leaves", "")
        said = re.sub(r", ? such rows out", "", re.sub(r"--(missing|unknown) ([\w-]+)", r'\1="\2"', said))
        said = re.sub(
            r"--categorical (\S+)", r"categorical=[\1]", re.sub(r"--max-levels (\d+)", r"max_levels=\1", said)
        )
        raise DataError(re.sub(r"\bline (\d+)", r"row \1", said)) from None


class TableEncoder(TransformerMixin, BaseEstimator):
    """Columns of numbers, truth values and text as a matrix of numbers.

    A column is numeric where at least half of its first thousand values are numbers; a text column becomes a 0/1
    column for each of its levels.  All is decided in ``fit`` and kept in ``recipe_``, as ``softreg fit`` does for
    files: the same table as a frame and as a CSV file gives the same matrix.

    Parameters
    ----------
    categorical : sequence of str or int, default=()
        Columns (names, or positions) to take as categories even if they look like numbers.  Columns of a categorical
        type always are.
    missing : {"error", "drop-columns", "mean", "median", "indicator"}, default="error"
        What stands for a missing number; a missing category is then a level of its own.  "drop-columns" leaves out
        the columns where ``fit`` finds a missing value.
    unknown : {"ignore", "error"}, default="ignore"
        A category that ``fit`` never saw: a row of zeros, or a ValueError; where rarer levels share a column it is
        one of these.
    max_levels : int, default=100
        Levels a column keeps; rarer ones share one column.

    Attributes
    ----------
    recipe_ : softreg.tables.Recipe
    n_features_in_ : int
    feature_names_in_ : (n_features_in_,) array of str
        Where X has names that are all text.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, "red"], [3, "blue"], [None, "red"]], dtype=object)
    >>> encoder = TableEncoder(missing="mean").fit(X)
    >>> encoder.get_feature_names_out().tolist()
    ['x0', 'x1=blue', 'x1=red']
    >>> encoder.transform(X)
    array([[1., 0., 1.],
           [3., 1., 0.],
           [2., 0., 1.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "categorical": ["array-like"],
        "missing": [StrOptions(set(MISSING) - {"drop"})],
        "unknown": [StrOptions(set(UNKNOWN))],
        "max_levels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        categorical: Any = (),
        missing: str = "error",
        unknown: str = "ignore",
        max_levels: int = 100,
    ) -> None:
        self.categorical = categorical
        self.missing = missing
        self.unknown = unknown
        self.max_levels = max_levels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = self.missing != "error"
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the recipe.

        Parameters
        ----------
        X : frame of pandas or polars, or array of shape (n, p) of numbers or objects
        y : ignored

        Raises
        ------
        ValueError
            A column that cannot be prepared: missing values under ``missing="error"``, a text column of almost all
            different values.
        """
        self.fit_transform(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_columns_on_error
    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Learn the recipe, and X as it prepares it: (n, k) float64, CSR where that is much smaller."""
        from softreg.tables.learning import learn_columns

        source = self._source(X, reset=True)
        wanted = [self._name(which) for which in self.categorical]
        options = TableOptions(
            categorical=tuple(dict.fromkeys([*wanted, *source.categories])),
            missing=self.missing,
            unknown=self.unknown,
            max_levels=int(self.max_levels),
        )
        with _in_python():
            self.recipe_, prepared = learn_columns(source, options)
        return self._for_output(prepared)

    def transform(self, X: Any) -> Any:
        """X (n, p) prepared by the recipe: (n, k) float64, or CSR.

        Raises
        ------
        ValueError
            Other columns than in ``fit``; a value of another kind, missing or never seen where that is an error.
        """
        from softreg.tables.applying import read_known

        check_is_fitted(self)
        with _in_python():
            prepared = read_known(self._source(X, reset=False), self.recipe_, needed=(), group=False).X
        return self._for_output(prepared)

    def _for_output(self, prepared: Any) -> Any:
        """Dense where `set_output` asks for frames, which hold nothing else."""
        dense = _get_output_config("transform", self)["dense"] != "default"
        return prepared.toarray() if dense and hasattr(prepared, "toarray") else prepared

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """The names of the columns that ``transform`` makes: a number keeps its name, a level is ``column=level``."""
        from sklearn.utils.validation import _check_feature_names_in

        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return np.array(self.recipe_.features, dtype=object)

    @property
    def _n_features_out(self) -> int:
        return len(self.recipe_.features)

    def _source(self, X: Any, reset: bool) -> Any:
        from softreg.tables.frames import Frame

        if hasattr(X, "columns") and hasattr(X, "dtypes"):
            name, times = next(iter(Counter(X.columns).most_common(1)), (None, 0))
            if times > 1:
                raise DataError(f"X has {times} columns named {name!r}: give each a name of its own")
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(X) or not len(X.columns):
                validate_data(self, np.asarray(X), reset=reset)  # says what is missing
        else:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)
        names = [str(name) for name in getattr(self, "feature_names_in_", self._positions())]
        return Frame(X, names)

    def _positions(self) -> list[str]:
        return [f"x{j}" for j in range(self.n_features_in_)]

    def _name(self, which: Any) -> str:
        names = [str(name) for name in getattr(self, "feature_names_in_", self._positions())]
        if isinstance(which, Integral) and 0 <= int(which) < len(names):
            return names[int(which)]
        if which not in names:
            raise DataError(f"categorical={which!r}: X has no such column")
        return str(which)
