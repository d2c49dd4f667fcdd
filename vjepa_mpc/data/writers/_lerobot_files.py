"""The files of a LeRobot v3.0 dataset beside its videos: table and statistics, each with several episodes a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.errors import needs


class TableFile:
    """A parquet file that episodes are appended to, a row group each."""

    def __init__(self, path: Path, features: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._schema = _schema(features)
        self._writer = needs("pyarrow.parquet").ParquetWriter(path, self._schema)

    @property
    def megabytes(self) -> float:
        """Written so far."""
        return self.path.stat().st_size / 2**20

    def append(self, columns: dict[str, np.ndarray]) -> None:
        """Rows of all columns."""
        pyarrow = needs("pyarrow")
        arrays = []
        for field in self._schema:
            values = columns[field.name]
            flat = pyarrow.array(values.reshape(-1))
            wide = pyarrow.types.is_fixed_size_list(field.type)
            arrays.append(pyarrow.FixedSizeListArray.from_arrays(flat, values.shape[1]) if wide else flat)
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class Statistics:
    """Least, greatest, mean and deviation of a feature, gathered in parts."""

    def __init__(self) -> None:
        self._count, self._pixels = 0, 0
        self._sum: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0
        self._low: np.ndarray | float = np.inf
        self._high: np.ndarray | float = -np.inf

    def add(self, values: np.ndarray, rows: int) -> None:
        """Values [n, width], of ``rows`` rows (a picture is one row of many values)."""
        wide = values.astype(np.float64)
        self._count, self._pixels = self._count + rows, self._pixels + len(wide)
        self._sum, self._squares = self._sum + wide.sum(axis=0), self._squares + (wide**2).sum(axis=0)
        self._low, self._high = np.minimum(self._low, wide.min(axis=0)), np.maximum(self._high, wide.max(axis=0))

    def summary(self, shape: Sequence[int]) -> dict[str, list[Any]]:
        """As ``stats.json`` has it; values are given the shape."""
        mean = np.asarray(self._sum) / self._pixels
        deviation = np.sqrt(np.maximum(np.asarray(self._squares) / self._pixels - mean**2, 0.0))
        named = {"min": self._low, "max": self._high, "mean": mean, "std": deviation}
        found = {name: np.asarray(value).reshape(shape).tolist() for name, value in named.items()}
        return {**found, "count": [self._count]}


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """``tasks.parquet``: the texts are the unnamed index of a pandas table, which pandas itself is not needed for."""
    pyarrow, parquet = needs("pyarrow"), needs("pyarrow.parquet")
    index = "__index_level_0__"
    columns = [_pandas_column("task_index", "task_index", "int64"), _pandas_column(None, index, "unicode")]
    described = {
        "index_columns": [index],
        "column_indexes": [{**_pandas_column(None, None, "unicode"), "metadata": {"encoding": "UTF-8"}}],
        "columns": columns,
        "pandas_version": "2.0.0",
    }
    numbers = pyarrow.array(range(len(tasks)), type=pyarrow.int64())
    table = pyarrow.table({"task_index": numbers, index: pyarrow.array(tasks, type=pyarrow.string())})
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(described)}), path)


def _pandas_column(name: str | None, field: str | None, kind: str) -> dict[str, Any]:
    numpy_type = "object" if kind == "unicode" else kind
    return {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": numpy_type, "metadata": None}


def _schema(features: dict[str, Any]) -> Any:
    """Of the features that are numbers, with what the library ``datasets`` wants to find."""
    pyarrow = needs("pyarrow")
    types = {"float32": pyarrow.float32(), "int64": pyarrow.int64()}
    fields, described = [], {}
    for name, feature in features.items():
        if feature["dtype"] not in types:
            continue
        width, value = feature["shape"][0], {"dtype": feature["dtype"], "_type": "Value"}
        kind = types[feature["dtype"]]
        fields.append(pyarrow.field(name, kind if width == 1 else pyarrow.list_(kind, width)))
        described[name] = value if width == 1 else {"feature": value, "length": width, "_type": "List"}
    return pyarrow.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": described}})})
