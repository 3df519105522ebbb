"""The model server's half of the example: a class as Seldon's Python wrapper wants it (module and class of one name).

The model itself is not in the image. It is read from the directory that training wrote, which the pipeline names in
``MODEL_DIR``: a new model needs no new image.
"""

import os
import pathlib
from collections.abc import Iterable

import joblib
import numpy as np


class Digits:
    """Answers 64 grey values (0 to 16, row by row) with the probability of each of the ten digits."""

    def __init__(self, model_dir: str | None = None) -> None:
        # A parameter of the Seldon graph wins; no I/O here: the wrapper makes the object once, before its workers.
        self._path = pathlib.Path(model_dir or os.environ.get("MODEL_DIR", "/mnt/models")) / "model.joblib"
        self._model = None

    def load(self) -> None:
        """Read the model; the wrapper calls this once in each worker, and a failure ends the worker visibly."""
        if not self._path.is_file():
            raise FileNotFoundError(f"no model at {self._path}: is MODEL_DIR the directory that training wrote?")
        # A pickle runs code: this one comes from our own training step, over a volume that only the pipeline writes.
        self._model = joblib.load(self._path)

    def predict(self, X: np.ndarray, names: Iterable[str] | None = None, meta: dict | None = None) -> np.ndarray:
        """Return one row of ten probabilities for each row of X."""
        if self._model is None:
            self.load()
        return self._model.predict_proba(np.asarray(X, dtype=float))

    def class_names(self) -> list[str]:
        """Name the columns of the answer."""
        return [str(digit) for digit in range(10)]
