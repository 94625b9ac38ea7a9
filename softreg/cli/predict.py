"""``softreg predict``: a label, and probabilities, for each row of a table."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from softreg.cli.options import PREDICT, Manner, Model, Tables, takes
from softreg.cli.printing import narrate, result, write_bytes


@takes(how=PREDICT)
def predict(
    model: Model,
    data: Tables,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add a column p[class] for each class (softmax).", show_default=False)
    ] = False,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", metavar="K", help="Add the K likeliest labels, and how likely.", show_default=False),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option("--min-confidence", metavar="P", help="No prediction below this probability.", show_default=False),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write here.", show_default=False)
    ] = None,
    *,
    how: dict[str, Any],
    manner: Manner,
) -> None:
    """Label the rows of a table, in their order."""
    from softreg import report, workflows
    from softreg.errors import UsageError
    from softreg.files import atomic_write, check_writable, refuse_same_file
    from softreg.text import safe_text

    paths: Any = data[0] if len(data) == 1 else data
    if manner.json:
        for name, value in {"top_k": top_k, "min_confidence": min_confidence, "output": output, **how}.items():
            if value is not None:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag}: not with --json, which prints one object; --format jsonl prints one a row")
        predicted = workflows.predict(model, paths, proba=proba)
        result(report.to_json("predict", predicted))
        for warning in predicted.warnings:
            narrate(f"warning: {warning}")
        return
    output = None if output == "-" else output
    if output is not None:
        refuse_same_file(output, [model, *data])
        check_writable(output)
    from softreg.tables.writing import output_format, written

    kind = output_format(output, how.get("format"))
    stream = workflows.predict_stream(
        model,
        paths,
        proba=proba,
        top_k=top_k,
        min_confidence=min_confidence,
        keep=tuple(name.strip() for name in how["keep"].split(",")) if "keep" in how else (),
        missing=how.get("missing", "recipe"),
    )
    if output is None:
        for block in written(stream.batches(), kind):
            write_bytes(block)
    else:
        with atomic_write(output) as file:
            for block in written(stream.batches(), kind):
                file.write(block)
    if not manner.quiet:
        if output is not None:
            narrate(f"saved      {safe_text(output)}: {stream.n} rows")
        for note in stream.notes():
            narrate(report.line("note", note))
    for warning in stream.warnings(kind):
        narrate(f"warning: {warning}")
