"""The model that joins a backbone, heads, losses in roles, and a matcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.models.base import TrainableModel
from reidkit.models.inputs import label_names
from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.models.roles import OF_MODEL, LossRole, learned
from reidkit.registry import BACKBONES, HEADS, LOSSES, MATCHERS, MODELS, signature
from reidkit.structures import Embedding, FeatureSpecs, HeadOutput, ReIDBatch
from reidkit.utils.patterns import factors_by_name


@MODELS.register_module()
class ReIDModel(TrainableModel):
    """Backbone, heads, losses in roles and a matcher, trained on one or several domains.

    One training step runs every domain forward in the order of the loss roles, adds the losses and
    runs backward once, so batch-norm statistics are per domain and gradients add up.

    Args:
        backbone: BACKBONES config.
        head: HEADS config of the embedding head.
        losses: role name -> dict of ``loss``, ``domain``, ``head``, ``weight``.
        matcher: MATCHERS config.
        transforms: "train", "test" -> step name -> TRANSFORMS config, run on the device in order.
        aux_heads: name -> HEADS config, run in training only, where a loss role names them.
        num_identities: number K of training identities. Supplied by the framework.
        cameras: cameras of the training images, sorted. Supplied by the framework.
        input_size: (height, width) of the images in pixels. Supplied by the framework.
        settings: the settings of the run, for transforms. Supplied by the framework.
        precision: "fp32" or "bf16": autocast of the forward pass in training. Losses, and the
            embeddings of ``embed``, are float32 in any case.
        channels_last: memory layout of images and weights.
        runs: role -> run folder, for losses that learn from other runs. Supplied by the framework,
            in training only.
        frame_pool: "mean" or "max": how the vectors of a clip's frames are joined at the test,
            for heads that do not do it themselves. Such heads learn from single frames.

    Example:
        >>> import reidkit.data, reidkit.evaluation
        >>> model = ReIDModel(
        ...     backbone=dict(type="ResNet", depth=18, width=8, stages=2),
        ...     head=dict(type="BNNeckHead"),
        ...     losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
        ...     matcher=dict(type="CosineMatcher"),
        ...     transforms={"test": {"normalize": dict(type="Normalize")}},
        ...     num_identities=4, input_size=(32, 16))
        >>> model.domains
        ['source']
        >>> model.embed(ReIDBatch(torch.zeros(2, 3, 32, 16, dtype=torch.uint8))).vectors.shape
        torch.Size([2, 1, 16])
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        losses: dict[str, dict],
        matcher: dict,
        transforms: dict[str, dict[str, dict]],
        aux_heads: dict[str, dict] | None = None,
        num_identities: int = 1,
        cameras: Sequence[int] = (),
        input_size: tuple[int, int] = (256, 128),
        settings: Mapping | None = None,
        precision: str = "fp32",
        channels_last: bool = True,
        frame_pool: str = "mean",
        runs: Mapping[str, str] | None = None,
    ):
        if frame_pool not in ("mean", "max"):
            raise ValueError(f"frame_pool must be 'mean' or 'max', got {frame_pool!r}")
        data = dict(cameras=tuple(cameras), settings=settings)
        net = BACKBONES.build(backbone, dict(data, input_size=tuple(input_size)))
        specs = FeatureSpecs(net.specs, net.default)
        maps = [name for name, spec in specs.items() if spec.kind == "map"]
        map_size = specs[specs.pick("map")].map_size(input_size) if maps else None
        super().__init__(
            ReIDPreprocessor(
                transforms.get("train"),
                transforms.get("test"),
                map_size,
                settings,
                channels_last,
            )
        )
        supply = dict(data, features=specs, num_identities=num_identities, map_size=map_size)
        self.backbone = net
        self.head = HEADS.build(head, supply)
        self.aux_heads = nn.ModuleDict(
            {name: HEADS.build(cfg, supply) for name, cfg in (aux_heads or {}).items()}
        )
        self.losses = nn.ModuleDict(
            {
                name: LossRole(**role, supply=dict(supply, width=self._width(role), runs=runs))
                for name, role in losses.items()
            }
        )
        self._factors: dict[str, float] = {}  # of the losses, by role; 1 where it says nothing
        self.matcher = MATCHERS.build(matcher, dict(map_size=map_size, settings=settings))
        for role in self._roles().values():
            if set(OF_MODEL) & set(role.asks):
                learned(self.matcher, role)
        self.precision, self.frame_pool = precision, frame_pool
        self.channels_last = channels_last
        if channels_last:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _head(self, name: str) -> nn.Module:
        return self.head if name == "embed" else self.aux_heads[name]

    def _width(self, role: Mapping) -> int | None:
        """The width of a role's head, for losses that declare it.

        Raises:
            UserError: the head does not say it, and the loss needs it.
        """
        heads: dict[str, Any] = {"embed": self.head, **self.aux_heads}
        head, loss = heads.get(role.get("head", "embed")), role["loss"]
        width = getattr(head, "width", None)
        declared = signature(LOSSES.get(loss.get("type"))).get("width")
        asked = declared is not None and declared.default is declared.empty and "width" not in loss
        if width is None and asked:
            raise UserError(
                f"{loss['type']} keeps vectors of the head, and {type(head).__name__} does not say "
                "its width: give it an attribute width, numbers P * D of an embedding"
            )
        return width

    def inputs(self, domain: str | None) -> set[str]:
        """Names of the labels that a domain's batches must bring; see ``inputs.py``.

        Args:
            domain: of training; None for the test.
        """
        if domain is None:
            steps = self.data_preprocessor.test_steps
            return label_names([], {"embed": self.head}, self.backbone, steps)
        roles = [role for role in self.roles().values() if role.domain == domain]
        heads = {role.head: self._head(role.head) for role in roles}
        steps = self.data_preprocessor.train_steps
        return label_names(roles, heads, self.backbone, steps)

    def label_sizes(self, domain: str) -> dict[str, tuple[int, int]]:
        """Field -> (rows, columns) of the label maps that a domain's heads learn from."""
        heads = {role.head for role in self.roles().values() if role.domain == domain}
        sizes = [getattr(self._head(name), "label_sizes", {}) for name in sorted(heads)]
        return {field: size for one in sizes for field, size in one.items()}

    @property
    def domains(self) -> list[str]:
        """The training domains in the order of the loss roles."""
        return list(dict.fromkeys(role.domain for role in self._roles().values()))

    def scale_losses(self, factors: Mapping[str, float]) -> None:
        """Multiply losses from now on; those multiplied by 0 are not computed.

        Args:
            factors: factor by a pattern of role names; see ``factors_by_name``.

        Raises:
            UserError: a pattern that matches no role, or no loss left.
        """
        try:
            self._factors = factors_by_name(self.losses, factors)
        except KeyError as error:
            known = ", ".join(self.losses)
            raise UserError(
                f"train.loss_mult: the model has no loss {error.args[0]!r}; it has: {known}"
            ) from None
        if not self._roles():
            raise UserError(f"train.loss_mult={dict(factors)} leaves no loss")

    def roles(self) -> dict[str, LossRole]:
        """All losses in their roles by name, those that do not count just now included."""
        return cast("dict[str, LossRole]", dict(self.losses.items()))

    def _roles(self) -> dict[str, LossRole]:
        roles = {n: role for n, role in self.losses.items() if self._factors.get(n, 1.0)}
        return cast("dict[str, LossRole]", roles)

    def forward(self, *args, mode: str = "loss", **domains: ReIDBatch):
        """Losses by role for prepared batches ``domain=batch``, as mmengine calls it."""
        if mode != "loss":
            raise ValueError(f"ReIDModel.forward knows mode 'loss', not {mode!r}; see embed(batch)")
        out: dict[str, Tensor] = {}
        for domain in self.domains:
            batch = domains[domain]
            roles = {name: role for name, role in self._roles().items() if role.domain == domain}
            with self._autocast(self.precision == "bf16"):
                outputs = self._run_heads(batch, {role.head for role in roles.values()})
            for name, role in roles.items():
                pools = getattr(self._head(role.head), "pools_frames", False)
                known = batch.by_clip() if pools else batch
                loss = role(outputs[role.head], known, self.matcher)
                factor = self._factors.get(name, 1.0)
                out[f"loss_{name}"] = loss if factor == 1 else factor * loss
                if isinstance(accuracy := getattr(role.loss, "accuracy", None), Tensor):
                    out[f"accuracy_{name}"] = accuracy
            for output in outputs.values():
                out.update(output.log)
        return out

    def _run_heads(self, batch: ReIDBatch, names: set[str]) -> dict[str, HeadOutput]:
        """Outputs of the named heads on one forward pass of the backbone.

        Raises:
            UserError: a head returns anything but a HeadOutput.
        """
        features = self.backbone(batch.images, batch)
        outputs = {name: self._head(name)(features, batch) for name in sorted(names)}
        for name, output in outputs.items():
            if not isinstance(output, HeadOutput):
                raise UserError(
                    f"{type(self._head(name)).__name__} must return a HeadOutput, got "
                    f"{type(output).__name__}"
                )
        return outputs

    def _autocast(self, low: bool) -> torch.autocast:
        return torch.autocast(self.data_preprocessor.device.type, torch.bfloat16, enabled=low)

    @torch.no_grad()
    def embed(self, batch: ReIDBatch) -> Embedding:
        """Embedding of one loaded batch, in eval mode, in float32 from image to vector.

        ``precision`` is for training alone: a test gives the same numbers during a run and after.

        Shape:
            batch.images (N, 3, H, W) uint8 -> vectors (N, P, D) float32, visibility (N, P);
            clips (B, T, 3, H, W) -> one row each.
        """
        training = self.training
        self.eval()
        try:
            prepared = self.data_preprocessor.one(batch, training=False)
            with self._autocast(False):
                embedding = self._run_heads(prepared, {"embed"})["embed"].embedding
            if embedding is None:
                raise TypeError(f"{type(self.head).__name__} gives no embedding: not a `head`")
            embedding = embedding.to(torch.float32)
            if prepared.frames == 1 or getattr(self.head, "pools_frames", False):
                return embedding
            rows = torch.arange(len(embedding), device=prepared.images.device)
            return embedding.join(rows // prepared.frames, self.frame_pool)
        finally:
            self.train(training)
