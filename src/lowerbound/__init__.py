"""Variational autoencoders made into real software.

The five shapes: `Conditional`, `VAE`, `Trace`, `Objective`, `fit`. The short way: `AutoVAE`.

    >>> import lowerbound as lb
    >>> lb.ELBO().formula
    'E_q[log p(x|z)] - KL(q(z|x) || p(z))'

Names are imported when they are first used, so that `import lowerbound` is immediate. They are
listed in `__init__.pyi`, once for the type checker and for this file.
"""

import ast
from importlib import import_module
from pathlib import Path

_LIST = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
_HOMES = {
    name.name: line.module
    for line in _LIST.body
    if isinstance(line, ast.ImportFrom)
    for name in line.names
}

__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]  (the list is the stub's)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lowerbound' has no attribute {name!r}")
    if home == "lowerbound":
        value: object = import_module(f"lowerbound.{name}")
    else:
        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
