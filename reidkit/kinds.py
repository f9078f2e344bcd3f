"""The kinds of components: one table that registries, checks, docs and contract tests read.

Reading it imports nothing heavy. ``places`` say where a config names a component of the kind (``*``
is any name), ``supplies`` what the framework gives to constructors that declare it, ``modules``
which modules of the core register components of the kind, ``root`` which registry of mmengine also
builds it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    Args:
        name: in the plural, as in manifests and ``reidkit.registry.REGISTRIES`` ("losses").
        singular: as in messages ("loss").
        places: keys of the config, dotted, that hold one component of the kind.
        supplies: parameters that the framework supplies to a constructor that declares them.
        contract: what a component takes and returns.
        modules: of the core, imported before a name of the kind is looked up.
        root: the registry of mmengine whose Runner also builds the kind.
        optional: whether a place may hold None.

    Example:
        >>> kind_of(("model", "losses", "id", "loss")).singular
        'loss'
    """

    name: str
    singular: str
    places: tuple[str, ...]
    supplies: tuple[str, ...]
    contract: str
    modules: tuple[str, ...] = ()
    root: str = ""
    optional: bool = False


OF_DATA = ("num_identities", "cameras", "input_size")
MODEL_SUPPLIES = (*OF_DATA, "precision", "channels_last", "runs", "settings")
SAMPLER_SUPPLIES = (
    "num_samples", "identities", "cameras", "batch_size", "seed", "rank", "world_size", "settings",
)  # fmt: skip

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "backbones",
            "backbone",
            ("model.backbone",),
            ("input_size", "cameras", "settings"),
            "forward(images (N, 3, H, W) float, batch: ReIDBatch) -> dict name -> tensor; "
            "``specs``: the same names -> FeatureSpec, of a map (N, C, h, w), tokens (N, L, C) or "
            "a vector (N, C); ``default``: the name that heads take where they are not told "
            "another. The constructor may declare ``input_size`` and ``cameras`` (the cameras of "
            "the training split, sorted). ``asks``: fields of the batch that it reads. Optional: "
            "``layers()`` -> its parts from input to output, lists of parameters, for a learning "
            "rate that decays layer by layer; ``loaded``, where not None, has ``report()``: which "
            "starting weights were loaded.",
            ("reidkit.models",),
        ),
        Kind(
            "heads",
            "head",
            ("model.head", "model.aux_heads.*"),
            ("features", "num_identities", "cameras", "map_size", "settings"),
            "forward(features: dict name -> tensor, batch: ReIDBatch) -> HeadOutput. ``gives``: "
            "names of what it hands to the losses in training: those of its ``outputs``, and "
            '"vectors", "maps", "visibility" of its embedding. ``asks``: fields of the batch '
            "that it reads. The constructor may declare ``features`` (FeatureSpecs: name -> "
            "FeatureSpec, and the default name), ``num_identities``, ``cameras``, ``map_size`` "
            "(rows, columns of the default map, None without maps) and ``settings``. Batches of "
            "clips come as B * T images with ``batch.frames`` = T: a head with ``pools_frames = "
            "True`` gives one row per clip; the rows of any other are joined at the test. "
            "Optional: ``width``, numbers P * D of an embedding; ``label_sizes``, field -> (rows, "
            "columns) of the label maps that it learns from; ``visualize(path, model, batch)``, a "
            "picture of what it looks at.",
            ("reidkit.models",),
        ),
        Kind(
            "losses",
            "loss",
            ("model.losses.*.loss",),
            ("features", "num_identities", "cameras", "map_size", "width", "settings", "runs"),
            "forward(named tensors) -> scalar, of shape (): only the formula. Parameter names say "
            "what it asks for: what its head gives, a field or label of the batch (identities, "
            "cameras, times, keypoints, ...), ``scores`` (N, N) of the batch against itself by a "
            "learned matcher, or the ``matcher``; one with a default is optional. It runs with "
            "autocast off, and floating-point inputs are float32. The constructor may declare "
            "``features``, ``num_identities``, ``cameras``, ``map_size``, ``settings``, "
            "``width`` (numbers P * D of an embedding, where the head says it) and ``runs`` (role "
            "-> folder of the runs in ``prerequisites``, None where nothing is trained). What a "
            "loss keeps between batches is a buffer. A loss may leave ``accuracy`` for the log.",
            ("reidkit.models",),
        ),
        Kind(
            "samplers",
            "sampler",
            ("train.sampler",),
            SAMPLER_SUPPLIES,
            "Iterates lists of indices, a pure function of (seed, epoch, rank) and of what "
            "refresh(model) gave; __len__, set_epoch(int), state_dict, load_state_dict. The "
            "constructor may declare identities, cameras (M,), batch_size, seed, rank, "
            "world_size. One that defines refresh(model) is shown the model before every epoch: "
            "model.embed(rows) -> Embedding of those crops of its data set, in eval mode, the "
            "same on every rank; model.matcher. Its state is saved with the run.",
            ("reidkit.data",),
            root="DATA_SAMPLERS",
        ),
        Kind(
            "frame_samplers",
            "frame sampler",
            ("input.frames.train", "input.frames.test"),
            ("settings",),
            "(length, generator, or None for the test) -> clips of frame indices (J, T) int64, in "
            "order; J = 1 in training.",
            ("reidkit.data",),
        ),
        Kind(
            "evaluators",
            "evaluator",
            ("evaluation",),
            ("settings",),
            "evaluate(query: LabelledEmbeddings, gallery: LabelledEmbeddings, matcher, *, "
            "protocol, trials, multi_query) -> result with metrics, spread, protocol and counts: "
            "the data set states its protocol and brings its trials (rows of both splits). "
            "extra_splits(protocol) -> names of the splits it needs beside query and gallery; "
            "each comes as a keyword, LabelledEmbeddings too. Never tunes anything on the test "
            "set.",
            ("reidkit.evaluation",),
            root="METRICS",
        ),
        Kind(
            "datasets",
            "dataset",
            (
                "data.domains.*",
                "data.domains.*.sets.*",
                "data.domains.*.set",
                "data.domains.*.set.sets.*",
            ),  # fmt: skip
            ("data_root", "settings"),
            "A reader of one layout: constructed with root and options; splits() -> dict name -> "
            "Split; protocol: how papers test on it (a name in reidkit.evaluation.PROTOCOLS); "
            "trials() -> repetitions of the test as Trials, empty for one; ``labels``: names of "
            "the labels that its splits bring (Split.labels).",
            (
                "reidkit.data",
                "reidkit.synthped.reader",
                "reidkit.synthped.composites",
                "reidkit.synthped.video_reader",
            ),
            root="DATASETS",
        ),
        Kind(
            "transforms",
            "transform",
            ("model.transforms.*.*",),
            ("map_size", "settings"),
            "a BatchTransform of a ReIDBatch on the device; randomness only from "
            "batch.generator. ``adds``: fields that it fills, ``asks``: fields that it fills them "
            "from; a batch without those passes unchanged. It may declare ``map_size``.",
            ("reidkit.data",),
            root="TRANSFORMS",
        ),
        Kind(
            "matchers",
            "matcher",
            ("model.matcher",),
            ("map_size", "settings"),
            "forward(query: Embedding [q], gallery: Embedding [g]) -> distances (q, g) float32: "
            "smaller is closer. ``bounds``: (lowest, highest) possible distance. A ``Matcher`` of "
            "reidkit.evaluation splits that in two: prepare(embedding, side) -> Prepared("
            "name=tensor (N, ...)), once per image, and compare(query, gallery) of what was "
            "prepared, once per pair. It is part of the model and saved with it; the constructor "
            "may declare ``map_size``. A learned one also "
            "has scores(query, gallery) -> (q, g), larger is closer, with gradients, for losses. "
            "One that compares local features may have correspondences(query, gallery) for "
            "pictures.",
            ("reidkit.evaluation",),
            optional=True,
        ),
        Kind(
            "rerankers",
            "re-ranker",
            ("evaluation.rerank.*",),
            ("block_mb", "settings"),
            "rerank(query: Embedding [Q], gallery: Embedding [G], matcher, query_meta, "
            "gallery_meta) -> (query, gallery, matcher): new embeddings of the same images, and a "
            "matcher of them; one that has a matrix of distances returns "
            "reidkit.evaluation.precomputed(distances). ImageMeta holds cameras and times, "
            "never identities. The constructor may declare ``block_mb``.",
            ("reidkit.evaluation",),
        ),
        Kind(
            "models",
            "model",
            ("model",),
            MODEL_SUPPLIES,
            "train_step({domain: ReIDBatch}, optim_wrapper) -> dict of log values with ``loss``; "
            "embed(batch) -> Embedding; ``matcher``; ``domains``. A model that trains several "
            "parts on its own has parameter_groups() -> {name: [dict(params)]}, one entry for each "
            "of ``train.optimizers``; its train_step gets an OptimWrapperDict and calls "
            "update_params itself. A model that generates has appearance(batch) and "
            "structure(batch) -> codes (N, ...), generate(appearance, structure) -> (N, 3, H, W) "
            "uint8, and may have draw_samples(batch) -> {name: (H, W, 3) uint8}. Optional: "
            "inputs(domain) -> names of the labels that a domain's batches must bring (None: of "
            "the test), label_sizes(domain). The constructor may declare ``runs``: role -> folder "
            "of the runs in ``prerequisites``, given in training only.",
            ("reidkit.models",),
            root="MODELS",
        ),
        Kind(
            "hooks",
            "hook",
            ("hooks.*",),
            ("settings",),
            "methods of an mmengine Hook, as before_train(runner) or after_train_epoch(runner), "
            "and ``priority``. It may be one; importing that class costs more than torch.",
            (
                "reidkit.engine.products.image_quality_hook",
                "reidkit.engine.products.samples",
            ),
            root="HOOKS",
        ),
        Kind(
            "labellers",
            "labeller",
            ("data.labeller",),
            ("device", "pictures", "settings"),
            "label(images: list of (H, W, 3) uint8 RGB crops) -> (N, 17, 3) float32 COCO "
            "keypoints: x, y in crop pixels, confidence in [0, 1]; ``provenance``: dict that "
            "identifies model and weights.",
            ("reidkit.pose",),
            optional=True,
        ),
    )
}

# kinds whose components only mmengine registers
MMENGINE_KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "optimizers",
            "optimizer",
            ("train.optimizer", "train.optimizers.*"),
            ("params",),
            "a torch optimizer.",
            ("mmengine.optim",),
            root="OPTIMIZERS",
            optional=True,
        ),
        Kind(
            "schedulers",
            "scheduler",
            (),  # train.schedule is a list of them, or one of the shorthands
            ("optimizer",),
            "a scheduler of mmengine.",
            ("mmengine.optim",),
            root="PARAM_SCHEDULERS",
        ),
        Kind(
            "visualizers",
            "visualizer",
            ("visualizers.*",),
            ("save_dir",),
            "a visualisation backend of mmengine.",
            ("mmengine.visualization",),
            root="VISBACKENDS",
        ),
    )
}

PLACES = {
    tuple(place.split(".")): kind
    for kind in (*KINDS.values(), *MMENGINE_KINDS.values())
    for place in kind.places
}


def kind_of(path: tuple[str, ...]) -> Kind | None:
    """The kind of component at a place of a config; None where there is none.

    Args:
        path: keys from the top.

    Example:
        >>> kind_of(("train", "epochs")) is None
        True
    """
    for place, kind in PLACES.items():
        if len(place) == len(path) and all(a in ("*", b) for a, b in zip(place, path, strict=True)):
            return kind
    return None
