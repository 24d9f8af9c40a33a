"""A property that is computed when it is first read."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):
    """A property that is computed when it is first read and kept in the object.

    Differs: from `functools.cached_property` by holding no lock, which torch.compile cannot enter.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute, self.name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, holder: None, owner: type | None = None) -> "once[T]": ...
    @overload
    def __get__(self, holder: object, owner: type | None = None) -> T: ...
    def __get__(self, holder: object | None, owner: type | None = None) -> "once[T] | T":
        if holder is None:
            return self
        value = holder.__dict__[self.name] = self.compute(holder)
        return value
