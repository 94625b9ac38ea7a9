"""Explain: one prediction worked out by hand, from logits or from a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from softreg.errors import DataError, UsageError
from softreg.explain import RowExplanation, WorkedTable, worked_table
from softreg.text import safe_text


def explain_logits(logits: Sequence[float] | str, label: int | str) -> WorkedTable:
    """The softmax of logits such as "3,4,1" step by step; ``label`` is the true class, counted from 1.

    Raises
    ------
    UsageError
    """
    return worked_table(logits, label)


def explain_row(model: object, data: str, row: int) -> RowExplanation:
    """What a softmax model says of row ``row`` of a table (the first is 1), and how the row would move the model.

    Parameters
    ----------
    model : str or Model
        A model file, or the model itself.
    data : str
        A labelled table; the mean loss that is shown is over all of it.
    row : int

    Raises
    ------
    UsageError
        The model is no softmax, or the table has no such row.
    ModelFileError, DataError
    """
    from softreg.explain import explain_row as explain
    from softreg.store import Model
    from softreg.tables import label_text
    from softreg.workflows.inputs import feature_names, read_as_training
    from softreg.workflows.preparing import Part

    fitted = model if isinstance(model, Model) else Model.load(str(model))
    if fitted.loss != "softmax":
        name = "the model" if isinstance(model, Model) else safe_text(model, 240)
        raise UsageError(f"{name}: explain works out a softmax, this is a {fitted.loss} model")
    table = read_as_training(fitted, data)
    if not 1 <= row <= table.n_rows:
        raise UsageError(f"--row {row}: {table.path} has rows 1 to {table.n_rows}")
    codes = table.codes(fitted.classes)
    code, line = int(codes[row - 1]), table.line(row - 1)
    if code < 0:
        assert table.y is not None
        label = safe_text(label_text(table.y.tolist()[row - 1]), 40)
        raise DataError(f"{table.path}:{line}: label '{label}' is no class of the model")
    judged = Part(table.X, codes if table.soft is None else table.soft, table.weight)
    judged = judged if codes.min() >= 0 else judged.take(codes >= 0)
    mean_loss = judged.metrics(fitted.W, fitted.settings).loss
    assert mean_loss is not None
    x = table.X[[row - 1]]
    x = x[0] if not hasattr(x, "toarray") else x.toarray()[0]
    place = f"row {row} of {table.path}" + (f" (line {line})" if line != row else "")
    if table.soft is not None:
        place += ", as if it were of its likeliest class"
    names = [label_text(label) for label in fitted.classes.tolist()]
    return explain(fitted.W, x, code, names, feature_names(fitted), mean_loss, place)
