"""What a place in the config tree holds: the kind of component, and what the framework supplies."""

from __future__ import annotations

from typing import Any

# place -> kind (a key of reidkit.registry.KINDS, or "optimizers"); * is any name or number
PLACES: dict[tuple[str, ...], str] = {
    ("model",): "models",
    ("model", "backbone"): "backbones",
    ("model", "head"): "heads",
    ("model", "aux_heads", "*"): "heads",
    ("model", "losses", "*", "loss"): "losses",
    ("model", "matcher"): "matchers",
    ("model", "transforms", "*", "*"): "transforms",
    ("data", "domains", "*"): "datasets",
    ("data", "labeller"): "labellers",
    ("input", "frames", "train"): "samplers",
    ("input", "frames", "test"): "samplers",
    ("train", "sampler"): "samplers",
    ("train", "optimizer"): "optimizers",
    ("train", "optimizers", "*"): "optimizers",
    ("evaluation",): "evaluators",
    ("evaluation", "rerank", "*"): "rerankers",
    ("data", "domains", "*", "sets", "*"): "datasets",
    ("hooks", "*"): "hooks",
    ("visualizers", "*"): "visualizers",
}

# parameters that the framework supplies, so that no config has to
DERIVED: dict[str, frozenset[str]] = {
    "models": frozenset({"num_identities", "input_size", "precision", "channels_last", "runs"}),
    "backbones": frozenset({"input_size"}),
    "heads": frozenset({"features", "num_identities", "map_size"}),
    "losses": frozenset({"features", "num_identities", "map_size", "width"}),
    "matchers": frozenset({"map_size"}),
    "transforms": frozenset({"map_size", "device"}),
    "datasets": frozenset({"data_root", "workers", "seed"}),
    "labellers": frozenset({"device", "precision"}),
    "samplers": frozenset(
        {"num_samples", "identities", "cameras", "batch_size", "seed", "rank", "world_size"}
    ),
    "optimizers": frozenset({"params"}),
    "schedulers": frozenset({"optimizer"}),
    "visualizers": frozenset({"save_dir"}),
    "rerankers": frozenset({"block_mb"}),
}
ALWAYS = frozenset({"settings"})

TOP_LEVEL = (
    "plugins", "groups", "settings", "data", "input", "prerequisites", "labels", "model", "train",
    "evaluation", "hooks", "visualizers",
)  # fmt: skip
MARKS = ("resolved", "source")  # what load_config itself writes
PREREQUISITE_KEYS = ("config", "run", "overrides")
OPTIONAL = ("labeller", "matcher", "optimizer")  # places that may hold None
DATA_KEYS = ("name", "domains", "tests", "labeller", "real")
ROLE_KEYS = ("loss", "domain", "head", "weight")
LABEL_FIELDS = ("keypoints", "part_map")


def kind_of(path: tuple[str, ...]) -> str | None:
    """The kind of component at a place; None where there is none.

    Example:
        >>> kind_of(("model", "losses", "id", "loss")), kind_of(("train", "epochs"))
        ('losses', None)
    """
    for place, kind in PLACES.items():
        if len(place) == len(path) and all(a in ("*", b) for a, b in zip(place, path, strict=True)):
            return kind
    return None


def derived(kind: str) -> frozenset[str]:
    """Names of the parameters that the framework supplies to components of a kind."""
    return DERIVED.get(kind, frozenset()) | ALWAYS


def has_options(path: tuple[str, ...], node: dict[str, Any]) -> bool:
    """Whether keys of a node are options that the check compares with a closed list."""
    return "type" in node or (bool(path) and path[0] == "settings") or _is_role(path)


def _is_role(path: tuple[str, ...]) -> bool:
    return len(path) == 3 and path[:2] == ("model", "losses")
