"""Parts by name: each file of a folder is one choice, and "package.module:Name" brings one from outside.

A part is a class, or an object such as a preset. Adding one means adding a file: nothing lists the files. A part's own
options are those of the dataclass that it calls ``Options`` (see :mod:`vjepa_mpc.options`).
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

from vjepa_mpc import options
from vjepa_mpc.options import Parameter

T = TypeVar("T")

_CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names_code(text: str) -> bool:
    """Whether a text reads package.module:name, which no file of a checkpoint does."""
    return _CODE.fullmatch(text) is not None


def part_names(package: str) -> tuple[str, ...]:
    """The choices of a folder of parts, in alphabetical order; neither the folder nor the parts are imported."""
    names = (each.name for each in pkgutil.iter_modules(_places(package)))
    return tuple(sorted(name for name in names if name != "interface" and not name.startswith("_")))


class PartError(ValueError):
    """There is no such part, or it does not satisfy the interface; the message says what to do."""


class PartNotInstalledError(PartError):
    """The part needs a package that is not installed; the message names it."""


class Registry(Generic[T]):
    """The parts of one kind.

    Args:
        package: full name of the folder; each of its modules is a choice by its file's name, but for ``interface`` and
            those that begin with an underscore.
        kind: what every part is a subclass or an instance of. A class from outside need not inherit from it; it has to
            offer all that is abstract in it.
        what: what messages call one of them, such as "objective".
        derived: a class from outside has to inherit from ``kind``, whose other methods are called, too.
    """

    def __init__(self, package: str, kind: type[Any], what: str, *, derived: bool = False) -> None:
        self._package, self._kind, self.what, self._derived = package, kind, what, derived

    @property
    def names(self) -> tuple[str, ...]:
        """The choices of the folder, in alphabetical order; none of them is imported for this."""
        return part_names(self._package)

    def part(self, name: str) -> Any:
        """The class or object of this name.

        Raises:
            PartError: there is none, its module cannot be imported, or it does not satisfy the interface.
            PartNotInstalledError: it is one of the folder's, and needs a package that is not installed.
        """
        if ":" in name:
            return self._from_outside(name)
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise PartError(
                f"there is no {self.what} {name!r}: {hint}use one of {', '.join(self.names)}, or MODULE:NAME"
            )
        return self._of_file(self._imported(name))

    def offers(self, name: str) -> bool:
        """Whether a name is a choice of the folder, or one that would be looked for outside."""
        return ":" in name or name in self.names

    def options(self, chosen: Sequence[str] = ()) -> Iterator[tuple[str, type[Any]]]:
        """Names and ``Options`` of the parts that have some: those of the folder, and chosen ones from outside.

        A part of the folder that needs a package that is not installed is passed over unless it is chosen.

        Raises:
            PartError: a chosen part cannot be had; the message says why.
        """
        for name in dict.fromkeys((*self.names, *chosen)):
            try:
                part = self.part(name)
            except PartNotInstalledError:
                if name in chosen:
                    raise
                continue
            kind = getattr(part, "Options", None)
            if kind is not None:
                yield name, kind

    def _imported(self, name: str) -> ModuleType:
        """The module of a file of the folder."""
        try:
            return importlib.import_module(f"{self._package}.{name}")
        except ImportError as error:
            missing = (error.name or str(error)).partition(".")[0]
            if missing == self._package.partition(".")[0]:
                raise  # a mistake in the file: installing something would not help
            raise PartNotInstalledError(
                f"{self.what} {name!r} needs {missing}, which cannot be imported ({error}): install it, or choose "
                f"another {self.what}"
            ) from error

    def _of_file(self, module: ModuleType) -> Any:
        """The one public part that a file of the folder defines."""
        found = [
            value for name, value in vars(module).items() if not name.startswith("_") and self._made_in(value, module)
        ]
        if len(found) != 1:
            raise PartError(
                f"{module.__file__} defines {len(found)} {self.what}s: define exactly one {self._kind.__name__}"
            )
        return found[0]

    def _made_in(self, value: Any, module: ModuleType) -> bool:
        if isinstance(value, type):
            return issubclass(value, self._kind) and value.__module__ == module.__name__
        return isinstance(value, self._kind)

    def _from_outside(self, name: str) -> Any:
        module_name, _, attribute = name.partition(":")
        try:
            value = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, ValueError) as error:
            raise PartError(
                f"{self.what} {name!r} cannot be imported ({error}): install its package, or put its folder on "
                "PYTHONPATH"
            ) from error
        except AttributeError as error:
            raise PartError(f"{self.what} {name!r}: the module {module_name} has no {attribute}") from error
        missing = sorted(
            wanted for wanted in getattr(self._kind, "__abstractmethods__", ()) if not _offers(value, wanted)
        )
        where = f"{self._kind.__module__}.{self._kind.__qualname__}"
        faults = [f"it lacks {', '.join(missing)}"] if missing else []
        if not isinstance(value, (self._kind, type)):
            faults = faults or [f"it is a {type(value).__name__}"]
        elif self._derived and isinstance(value, type) and not issubclass(value, self._kind):
            faults.append(f"it is not derived from {self._kind.__name__}")
        if faults:
            raise PartError(f"{name!r} is no {self.what}: {' and '.join(faults)}; see {where}")
        return value


@dataclass(frozen=True)
class PartOptions:
    """The options of the part that a parameter chooses, for :func:`vjepa_mpc.options.group`.

    Those of every part in the folder are parameters, and those of a chosen one from outside; parts that need a package
    that is not installed have none unless they are chosen. Parameters are called ``<part>.<field>``, where a class from
    outside goes by its name in small letters: ``my_package.module:KeepLevel`` has ``keep_level.<field>``.

    Attributes:
        registry: of the parts.
        by: the parameter that chooses.
        prefix: instead of the part's name and a dot.
    """

    registry: Registry[Any]
    by: str
    prefix: str = ""

    def parameters(self, values: Mapping[str, Any]) -> Iterable[Parameter]:
        """Of all parts that may be chosen, the one from outside included that ``values`` choose.

        Raises:
            PartError: ``values`` choose a part that cannot be had; the message says why.
        """
        name = str(values.get(self.by, ""))
        chosen = [name] if self.registry.offers(name) else []
        for part, kind in self.registry.options(chosen):
            yield from options.parameters(kind, self._prefix(part))

    def build(self, values: Mapping[str, Any]) -> Any:
        """The chosen part's ``Options``; None when it has none."""
        name = values[self.by]
        kind = getattr(self.registry.part(name), "Options", None)
        return None if kind is None else options.build(kind, values, self._prefix(name))

    def _prefix(self, name: str) -> str:
        return self.prefix or prefix_of(name)


def prefix_of(part: str) -> str:
    """What the names of a part's options begin with: "mppi." for mppi, "keep_level." for package.module:KeepLevel."""
    return f"{_WORD_START.sub('_', part.rpartition(':')[2]).lower()}."


def _places(package: str) -> Iterable[str]:
    """Where the modules of a package are found."""
    if package in sys.modules:
        return sys.modules[package].__path__
    found = importlib.util.find_spec(package)
    if found is None or found.submodule_search_locations is None:
        raise ModuleNotFoundError(f"there is no folder of parts {package}", name=package)
    return found.submodule_search_locations


def _offers(value: Any, wanted: str) -> bool:
    """Whether a class, or an object, defines a method or property; every class can be called, which does not count."""
    kind = value if isinstance(value, type) else type(value)
    found = next((vars(base)[wanted] for base in kind.__mro__ if wanted in vars(base)), None)
    defines = callable(found) or isinstance(found, classmethod | staticmethod | property)
    return defines and not getattr(found, "__isabstractmethod__", False)
