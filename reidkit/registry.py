"""The strict registries that hold the components, one for each kind of ``reidkit.kinds``.

A component is registered under its class name; while a plugin is being loaded the loader puts the
plugin's name in front (``mypaper/MyHead``), never the author. Names are never overwritten, unknown
names are never imported, and constructors must have closed signatures, so that options can be
checked.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mmengine.registry as _roots
from mmengine.registry import Registry as _MMRegistry

from reidkit.kinds import KINDS, Kind

_prefix = ""
_EMPTY = inspect.Parameter.empty


@contextmanager
def registering(prefix: str) -> Iterator[None]:
    """Names registered inside the block start with ``prefix`` (``"mypaper/"``); used by the loader.

    Core components that happen to be imported for the first time inside the block keep their names.
    """
    global _prefix
    before, _prefix = _prefix, prefix
    try:
        yield
    finally:
        _prefix = before


def _has_own_constructor(module) -> bool:
    return not isinstance(module, type) or "__init__" in vars(module)


def _prefix_of(component: Callable) -> str:
    """What its registered name starts with; the core's own names have no prefix.

    A plugin in ``reidkit_plugins`` is known by its module, so that worker processes, which import
    it without the loader, give it the same name.
    """
    package, _, rest = component.__module__.partition(".")
    if package == "reidkit":
        return ""
    return f"{rest.partition('.')[0]}/" if package == "reidkit_plugins" and rest else _prefix


class Registry(_MMRegistry):
    """A strict registry: closed signatures, no overwriting, no dotted imports, errors that suggest.

    Args:
        name: the kind in the singular, as in messages ("loss").
        contract: what a component of this kind takes and returns; becomes ``__doc__``.
        parent: the mmengine root whose Runner also builds this kind, if any.
        supplies: names that ``build`` must be given, no more and no fewer.
        modules: imported before a name is looked up for the first time.

    Example:
        >>> GREETINGS = Registry("greeting", "callable, returns text")
        >>> @GREETINGS.register_module()
        ... class Hello:
        ...     def __init__(self, name: str = "you"):
        ...         self.name = name
        >>> GREETINGS.build(dict(type="Hello", name="Ada")).name
        'Ada'
        >>> GREETINGS.build(dict(type="Helo"))
        Traceback (most recent call last):
        KeyError: "no greeting named 'Helo'; did you mean 'Hello'? available: Hello"
    """

    def __init__(
        self,
        name: str,
        contract: str,
        parent: _MMRegistry | None = None,
        supplies: tuple[str, ...] = (),
        modules: tuple[str, ...] = (),
    ):
        super().__init__(name, parent=parent, scope="reidkit", locations=list(modules))
        self.__doc__ = contract
        self.kind, self.supplies = name, frozenset(supplies)
        self._imported = False
        self.libraries: dict[str, Callable] = {}

    @classmethod
    def of(cls, kind: Kind) -> Registry:
        """The empty registry of a kind."""
        root = getattr(_roots, kind.root) if kind.root else None
        return cls(kind.singular, kind.contract, root, kind.supplies, kind.modules)

    def _register_module(self, module, module_name=None, force=False) -> None:  # type: ignore[override]
        if force:
            raise ValueError(f"{self.kind} {module_name or module.__name__}: force is not allowed")
        names = [module_name] if isinstance(module_name, str) else module_name or [module.__name__]
        for parameter in signature(module).values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                do = (
                    "name every option"
                    if _has_own_constructor(module)
                    else ("that is inherited; write one of its own that names every option")
                )
                raise TypeError(
                    f"{self.kind} {names[0]}: the constructor takes *{parameter.name}; {do}, or "
                    "misspelt options cannot be found"
                )
        for name in names:
            full = _prefix_of(module) + name
            if full in self._module_dict:
                old = self._module_dict[full]
                raise KeyError(
                    f"{self.kind} '{full}' is registered twice: {origin(old)} and {origin(module)}"
                )
            self._module_dict[full] = module

    def library(self, prefix: str) -> Callable[[Callable], Callable]:
        """A decorator: ``<prefix>/<name>`` stands for the component with ``name`` as first option.

        Args:
            prefix: of another library ("timm"); no plugin may be named so.

        Example:
            >>> NETS = Registry("net", "has a name")
            >>> @NETS.library("zoo")
            ... class Animal:
            ...     def __init__(self, name: str, legs: int = 4):
            ...         self.name, self.legs = name, legs
            >>> NETS.build(dict(type="zoo/ant", legs=6)).name
            'ant'
        """

        def note(component: Callable) -> Callable:
            self.libraries[prefix] = component
            return component

        return note

    def import_from_location(self) -> None:
        """Import the core's modules of this kind, once."""
        if not self._imported:
            self._imported = True  # first: these modules may look names up themselves
            for module in self._locations:
                importlib.import_module(module)

    def names(self) -> list[str]:
        """All registered names, sorted; the networks of libraries are not among them."""
        self.import_from_location()
        return sorted(self._module_dict)

    def get(self, key: str):
        """The component of that name in this registry or, for kinds of the Runner, its root.

        Raises:
            KeyError: no such component; the text suggests and lists what there is.
        """
        if not isinstance(key, str):
            raise TypeError(f"{self.kind}: type must be a name, got {key!r}")
        self.import_from_location()
        if key in self._module_dict:
            return self._module_dict[key]
        library, _, name = key.partition("/")
        if name and library in self.libraries:
            return functools.partial(self.libraries[library], name)
        root = self.parent
        if root is not None and "." not in key:
            root.import_from_location()
            if key in root.module_dict:
                return root.module_dict[key]
        raise KeyError(self.unknown(key))

    def unknown(self, key: str) -> str:
        """The sentence that refuses ``key``: nearest name, then everything available."""
        near = difflib.get_close_matches(key, self.names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = [*self.names(), *(f"{library}/<name>" for library in sorted(self.libraries))]
        return f"no {self.kind} named {key!r}; {hint}available: {', '.join(known) or 'none'}"

    def build(self, cfg: dict, supply: Mapping[str, Any] | None = None) -> Any:
        """Build ``cfg["type"]`` with the other keys as options.

        Args:
            cfg: a dict with ``type`` and the component's options.
            supply: what the framework knows (feature widths, number of identities, ...): exactly
                the names that the kind supplies. Each is passed where the constructor declares it
                and the options do not say it; a value of None is one that is not known. None in
                place of the mapping: built outside of a run, from its options alone.

        Raises:
            KeyError: unknown type.  TypeError: no ``type``; unknown or missing options; a
            ``supply`` that lacks a name of the kind, or has another.
        """
        if not isinstance(cfg, dict) or "type" not in cfg:
            raise TypeError(f"{self.kind}: expected a dict with 'type', got {cfg!r}")
        if supply is not None and set(supply) != self.supplies:
            raise TypeError(
                f"{self.kind}: the kind supplies {sorted(self.supplies)}, got {sorted(supply)}"
            )
        options = dict(cfg)
        component = self.get(options.pop("type"))
        declared = signature(component)
        for name, value in (supply or {}).items():
            # None stands for what is not known: a default of the constructor is better
            if name in declared and (value is not None or declared[name].default is _EMPTY):
                options.setdefault(name, value)
        try:
            inspect.signature(component).bind(**options)
        except TypeError as error:
            own = [str(p) for name, p in declared.items() if name not in self.supplies]
            listing = ", ".join(own) or "none"
            raise TypeError(f"{self.kind} {cfg['type']}: {error}; options: {listing}") from None
        return component(**options)


def signature(component: Callable) -> dict[str, inspect.Parameter]:
    """Constructor or call parameters by name, without ``self``."""
    return dict(inspect.signature(component).parameters)


def origin(component: Callable) -> str:
    """Where a component was defined, as ``module:line``."""
    try:
        line = inspect.getsourcelines(component)[1]
    except (OSError, TypeError):
        line = 0
    return f"{component.__module__}:{line}"


def import_core(*kinds: str) -> None:
    """Import the core's own components; cheap when called again.

    Args:
        kinds: names of kinds; none takes all of them.
    """
    for name in kinds or KINDS:
        for module in KINDS[name].modules:
            importlib.import_module(module)


REGISTRIES: dict[str, Registry] = {name: Registry.of(kind) for name, kind in KINDS.items()}

BACKBONES = REGISTRIES["backbones"]
HEADS = REGISTRIES["heads"]
LOSSES = REGISTRIES["losses"]
SAMPLERS = REGISTRIES["samplers"]
FRAME_SAMPLERS = REGISTRIES["frame_samplers"]
EVALUATORS = REGISTRIES["evaluators"]
DATASETS = REGISTRIES["datasets"]
TRANSFORMS = REGISTRIES["transforms"]
MATCHERS = REGISTRIES["matchers"]
RERANKERS = REGISTRIES["rerankers"]
MODELS = REGISTRIES["models"]
HOOKS = REGISTRIES["hooks"]
LABELLERS = REGISTRIES["labellers"]
