"""Write the four tables of this folder from the copies bundled with scikit-learn.

    python data/make_data.py [FOLDER]

A number is written with the fewest digits that read back as the same float64, an integer without a point,
so the same scikit-learn data always gives the same bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

# file: (loader, name of the target column, names of the classes where scikit-learn's are not readable)
TABLES = {
    "iris": (load_iris, "species", None),
    "wine": (load_wine, "cultivar", ("barolo", "grignolino", "barbera")),
    "digits": (load_digits, "digit", None),
    "breast_cancer": (load_breast_cancer, "diagnosis", None),
}


def column_name(name: str) -> str:
    """'sepal length (cm)' as sepal_length: lower case, words joined by underscores, no unit."""
    return re.sub(r"[^0-9a-z]+", "_", name.split(" (")[0].lower()).strip("_")


def number(value: float) -> str:
    """The shortest decimal that reads back as ``value``."""
    return str(int(value)) if value == int(value) else repr(float(value))


def csv_text(table: str) -> str:
    """One table as the text of its file: a header, then a line for each row, the target last."""
    loader, target, class_names = TABLES[table]
    data = loader()
    names = data.target_names if class_names is None else class_names
    lines = [[*map(column_name, data.feature_names), target]]
    lines += [[*map(number, x), str(names[k])] for x, k in zip(data.data, data.target, strict=True)]
    return "".join(",".join(line) + "\n" for line in lines)


def main(folder: Path) -> None:
    for table in TABLES:
        (folder / f"{table}.csv").write_bytes(csv_text(table).encode("ascii"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
