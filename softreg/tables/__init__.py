"""Files of rows and columns, read into arrays: CSV and TSV by column name, npz by key."""

from softreg.tables.labels import encode, label_text
from softreg.tables.read import read_table
from softreg.tables.table import Recipe, Table

__all__ = ["Recipe", "Table", "encode", "label_text", "read_table"]
