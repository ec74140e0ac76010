"""Every public name of pafo_sk: what the reference must hold, and what names on pages link to."""

import inspect
import pkgutil
from importlib import import_module
from types import FunctionType

import pafo_sk


def public_modules() -> list[str]:
    """Names of pafo_sk and of its public submodules."""
    found = (one.name for one in pkgutil.iter_modules(pafo_sk.__path__) if one.ispkg)
    return ["pafo_sk", *(f"pafo_sk.{name}" for name in found if not name.startswith("_"))]


def public_names() -> dict[str, object]:
    """Every public function and class, by its full name."""
    found = {}
    for module in map(import_module, public_modules()):
        for name in module.__all__:
            if not inspect.ismodule(member := getattr(module, name)):
                found[f"{module.__name__}.{name}"] = member
    return found


def own_members(name: str) -> list[str]:
    """Public methods and properties of a class, by its full name, that pafo_sk documents.

    Others are inherited, or override what a library calls and documents.
    """
    cls = public_names()[name]
    assert isinstance(cls, type)
    found = [
        member
        for member in inspect.classify_class_attrs(cls)
        if not member.name.startswith("_")
        and member.defining_class.__module__.startswith("pafo_sk.")
        and isinstance(member.object, FunctionType | classmethod | staticmethod | property)
        and getattr(member.object, "__module__", "pafo_sk").startswith("pafo_sk")
    ]
    return [one.name for one in found if one.object.__doc__ or not _is_inherited(cls, one.name)]


def _is_inherited(cls: type, name: str) -> bool:
    """Whether a class of another library defines the member as well."""
    others = (base for base in cls.__mro__ if not base.__module__.startswith("pafo_sk."))
    return any(name in vars(base) for base in others)
