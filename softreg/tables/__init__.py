"""Files of rows and columns, read into arrays, and the recipe that does the same again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from softreg.tables.labels import encode, label_text
from softreg.tables.options import TableOptions
from softreg.tables.read import read_batches, read_table
from softreg.tables.recipe import Column, Recipe
from softreg.tables.table import Table

if TYPE_CHECKING:
    from softreg.tables.applying import Batch, Found

__all__ = [
    "Batch", "Column", "Found", "Recipe", "Table", "TableOptions", "encode", "label_text", "read_batches", "read_table",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("Batch", "Found"):  # of the modules that need polars
        from softreg.tables import applying

        return getattr(applying, name)
    raise AttributeError(f"module 'softreg.tables' has no attribute {name!r}")
