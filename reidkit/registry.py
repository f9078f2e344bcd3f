"""Every kind of component, its contract, and the strict registry that holds it.

A component is registered under its class name; while a plugin is being loaded the loader puts the
plugin's name in front (``mypaper/MyHead``), never the author. Names are never overwritten, unknown
names are never imported, and constructors must have closed signatures, so that options can be
checked.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mmengine.registry as _roots
from mmengine.registry import Registry as _MMRegistry

_prefix = ""


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

    def __init__(self, name: str, contract: str, parent: _MMRegistry | None = None):
        super().__init__(name, parent=parent, scope="reidkit")
        self.__doc__ = contract
        self.kind = name
        self.libraries: dict[str, Callable] = {}

    def _register_module(self, module, module_name=None, force=False) -> None:  # type: ignore[override]
        if force:
            raise ValueError(f"{self.kind} {module_name or module.__name__}: force is not allowed")
        names = [module_name] if isinstance(module_name, str) else module_name or [module.__name__]
        for parameter in signature(module).values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                raise TypeError(
                    f"{self.kind} {names[0]}: the constructor takes *{parameter.name}; name every "
                    "option, or misspelt options cannot be found"
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

    def names(self) -> list[str]:
        """All registered names, sorted; the networks of libraries are not among them."""
        return sorted(self._module_dict)

    def get(self, key: str):
        """The component of that name in this registry or, for kinds of the Runner, its root.

        Raises:
            KeyError: no such component; the text suggests and lists what there is.
        """
        if not isinstance(key, str):
            raise TypeError(f"{self.kind}: type must be a name, got {key!r}")
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

    def build(self, cfg: dict, **derived: Any) -> Any:
        """Build ``cfg["type"]`` with the other keys as options.

        Args:
            cfg: a dict with ``type`` and the component's options.
            derived: numbers the framework knows (feature width, number of identities, ...);
                passed only where the constructor declares them, and never overriding an option.

        Raises:
            KeyError: unknown type.  TypeError: no ``type``, or unknown or missing options.
        """
        if not isinstance(cfg, dict) or "type" not in cfg:
            raise TypeError(f"{self.kind}: expected a dict with 'type', got {cfg!r}")
        options = dict(cfg)
        component = self.get(options.pop("type"))
        declared = signature(component)
        for name, value in derived.items():
            if name in declared:
                options.setdefault(name, value)
        try:
            inspect.signature(component).bind(**options)
        except TypeError as error:
            own = [str(p) for name, p in declared.items() if name not in derived]
            shown = ", ".join(own) or "none"
            raise TypeError(f"{self.kind} {cfg['type']}: {error}; options: {shown}") from None
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


BACKBONES = Registry(
    "backbone",
    "images (N, 3, H, W) float -> dict of named maps (N, C, h, w); ``specs``: dict name -> "
    "FeatureSpec. The last name is the deepest map. The constructor may declare ``input_size``. "
    "``loaded``, where not None, has ``report()``: which starting weights were loaded.",
)
HEADS = Registry(
    "head",
    "forward(maps: dict, batch: ReIDBatch) -> HeadOutput. The constructor may declare ``features`` "
    "(dict name -> FeatureSpec), ``num_identities``, ``map_size`` (rows, columns of the deepest "
    "map) and ``settings``: the framework supplies them. Batches of clips come as B * T images "
    "with ``batch.frames`` = T: a head with ``pools_frames = True`` gives one row per clip; the "
    "rows of any other are joined at the test. Optional: ``width``, numbers P * D of an embedding; "
    "``draw(path, model, batch)``, a picture of what it looks at.",
)
# what a loss may ask for by naming a parameter of its forward, and where it comes from
LOSS_INPUTS = {
    "logits": "of the head, as its contract says",
    "vectors": "(N, P, D) of the head's embedding in training, raw, as the matcher will get them",
    "maps": "(N, C, h, w) of the head's embedding",
    "visibility": "(N, P) of the head's parts",
    "attention": "(N, P, cells) of the head, logarithms",
    "weights": "dict name -> layer of the head, for losses that act on layers",
    "scores": "(N, N) of the batch against itself by a learned matcher, larger is closer",
    "matcher": "the learned matcher",
    "identities": "(N,) 0..K-1",
    "cameras": "(N,)",
    "part_map": "(N, h, w) part labels",
    "keypoints": "(N, 17, 3)",
    "masks": "(N, R, h, w) of a transform",
}
LOSSES = Registry(
    "loss",
    "forward(named tensors) -> scalar, of shape (): only the formula. Parameter names say what it "
    f"needs, out of {', '.join(LOSS_INPUTS)} (``LOSS_INPUTS`` says what they are); one with a "
    "default is optional. It runs with autocast off, and floating-point inputs are float32. The "
    "constructor may declare ``features``, ``num_identities``, ``map_size``, ``settings`` and "
    "``width`` (numbers P * D of an embedding, where the head has an attribute ``width``), which "
    "the framework supplies. What a loss keeps between batches is a buffer. A loss may leave "
    "``accuracy`` for the log.",
)
SAMPLERS = Registry(
    "sampler",
    "Batch samplers: iterate lists of indices, a pure function of (seed, epoch, rank) and of what "
    "refresh(model) gave; __len__, set_epoch(int), state_dict, load_state_dict. The constructor "
    "may declare identities, cameras, batch_size, seed, rank, world_size. One that defines "
    "refresh(model) is shown the model before every epoch: model.embed(rows) -> Embedding of those "
    "crops of its data set, in eval mode, the same on every rank; model.matcher. Its state is "
    "saved with the run. Frame samplers: (length, generator or None for the test) -> clips of "
    "frame indices (J, T); J = 1 in training.",
    parent=_roots.DATA_SAMPLERS,
)
EVALUATORS = Registry(
    "evaluator",
    "evaluate(query: Embedding, gallery: Embedding, query_split, gallery_split, matcher, *, "
    "protocol, trials, multi_query) -> result with metrics, spread, protocol and counts: the data "
    "set states its protocol and brings its trials (rows of both splits). extra_splits(protocol) "
    "-> names of the splits it needs beside query and gallery; each comes as a keyword "
    "(embedding, split). Never tunes anything on the test set.",
    parent=_roots.METRICS,
)
DATASETS = Registry(
    "dataset",
    "A reader of one layout: constructed with root and options; splits() -> dict name -> Split; "
    "protocol: how papers test on it (a name in reidkit.evaluation.PROTOCOLS); trials() -> "
    "repetitions of the test as Trials, empty for one.",
    parent=_roots.DATASETS,
)
TRANSFORMS = Registry(
    "transform",
    "mmcv BaseTransform on a ReIDBatch, batched on the device; randomness only from "
    "batch.generator.",
    parent=_roots.TRANSFORMS,
)
MATCHERS = Registry(
    "matcher",
    "forward(query: Embedding [q], gallery: Embedding [g]) -> distances (q, g) float32: smaller is "
    "closer. ``bounds``: (lowest, highest) possible distance. A ``Matcher`` of reidkit.evaluation "
    "splits that in two: prepare(embedding, side) -> Prepared(name=tensor (N, ...)), once per "
    "image, and compare(query, gallery) of what was prepared, once per pair. It is part of the "
    "model and saved with it; the constructor may declare ``map_size``. A learned one also has "
    "scores(query, gallery) -> (q, g), larger is closer, with gradients, for losses. One that "
    "compares local features may have correspondences(query, gallery) for pictures.",
)
RERANKERS = Registry(
    "re-ranker",
    "rerank(query: Embedding [Q], gallery: Embedding [G], matcher, query_meta, gallery_meta) -> "
    "(query, gallery, matcher): new embeddings of the same images, and a matcher of them; one that "
    "has a matrix of distances returns reidkit.evaluation.precomputed(distances). The two metas "
    "hold cameras and times, never identities. The constructor may declare ``block_mb``.",
)
MODELS = Registry(
    "model",
    "train_step({domain: ReIDBatch}, optim_wrapper) -> dict of log values with ``loss``; "
    "embed(batch) -> Embedding; ``matcher``; ``domains``. A model that trains several parts on its "
    "own has parameter_groups() -> {name: [dict(params, new)]}, one entry for each of "
    "``train.optimizers``; its train_step gets an OptimWrapperDict and calls update_params itself. "
    "A model that generates has appearance(batch) and structure(batch) -> codes (N, ...), "
    "generate(appearance, structure) -> (N, 3, H, W) uint8, and may have draw_samples(batch) -> "
    "{name: (H, W, 3) uint8}. The constructor may declare ``runs``: role -> folder of the runs in "
    "``needs``, given in training only.",
    parent=_roots.MODELS,
)
HOOKS = Registry("hook", "an mmengine Hook.", parent=_roots.HOOKS)
LABELLERS = Registry(
    "labeller",
    "label(images: list of (H, W, 3) uint8 RGB crops) -> (N, 17, 3) float32 COCO keypoints: x, y "
    "in crop pixels, confidence; ``provenance``: dict that identifies model and weights.",
)

KINDS: dict[str, Registry] = {
    "backbones": BACKBONES,
    "heads": HEADS,
    "losses": LOSSES,
    "samplers": SAMPLERS,
    "evaluators": EVALUATORS,
    "datasets": DATASETS,
    "transforms": TRANSFORMS,
    "matchers": MATCHERS,
    "rerankers": RERANKERS,
    "models": MODELS,
    "hooks": HOOKS,
    "labellers": LABELLERS,
}
