"""DGNet: the five networks, what they are asked for, and their three optimisers.

Shapes: N images, H W pixels, K identities, C code channels, c structure channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.data.transforms import Normalize
from reidkit.errors import UserError
from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.registry import MATCHERS, MODELS, TRANSFORMS
from reidkit.structures import Embedding, ReIDBatch
from reidkit.viz.grids import swap_grid

from .appearance import AppearanceEncoder
from .decoder import CodeMLPs, Decoder
from .discriminator import Discriminator
from .frozen import CodeAndLogits, frozen_call, recomputed
from .iteration import Iteration
from .losses import read_terms
from .structure import StructureEncoder
from .teacher import STYLES, Teacher

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@MODELS.register_module()
class DGNet(BaseModel):
    """Appearance encoder, structure encoder, decoder, discriminator and teacher, trained together.

    A batch is four quarters (``dgnet/PairSampler``): x_a, x_b and another crop of everyone. Side by
    side, ``x`` is [x_a; x_b] and ``swap`` exchanges the halves. Three optimisers: "reid" (E_a),
    "generator" (E_s, G and the code's MLPs) and "discriminator".

    Args:
        backbone: BACKBONES config of E_a; its deepest map is pooled.
        matcher: MATCHERS config.
        transforms: {"train": [...], "test": [...], "identity": [...]}: TRANSFORMS configs; the last
            list runs only on what the identity losses see (random erasing). "test" must hold a
            ``Normalize``.
        terms: name -> changes of ``losses.PUBLISHED``: ``weight``, ``start`` and ``ramp`` in
            iterations.
        dim: width of each head's embedding.
        dropout: of the primary and of the fine-grained head.
        structure_dim: width d of E_s; the decoder has 8 d channels.
        mlp_dim: hidden width of the code's MLPs.
        discriminator_dim: width of D.
        dilations: of E_s, in cells of its map.
        slices: "channel" or "stripe": how the code is shared among the blocks; see ``CodeMLPs``.
        colour_structure: control: E_s sees colours.
        upsample: enlarges E_a's input; see ``AppearanceEncoder``.
        detach_code: as released, no generative loss reaches E_a. False is the paper's text: the
            code carries gradients to E_a and to the copy that re-encodes composites.
        passes: "separate": E_a sees each quarter of the batch on its own, as released, so batch
            statistics are of B images; "joint": all that go through it together.
        teacher_style: what the primary head learns of composites: "soft", "argmax", "appearance",
            "uniform" or "pair"; see ``teacher.target``.
        r1: weight of the gradient penalty on D.
        checkpoint: recompute activations of E_s, G and the frozen copy in backward: less memory.
        compile: run E_s and G through ``torch.compile``.
        domain: the training domain.
        num_identities: K. Supplied by the framework.
        input_size: (height, width) in pixels. Supplied by the framework.
        settings: of the run, for transforms. Supplied by the framework.
        precision: "fp32", "bf16" or "fp16", of training; losses, the penalty on D and embeddings
            are float32 in any case.
        channels_last: memory layout of images and weights.
        runs: role -> run folder; ``runs["teacher"]`` is loaded. Supplied by the framework, in
            training only.

    Raises:
        ValueError: an option outside the above.
        UserError: images too small for the dilations; a teacher that does not fit.

    Source:
        DG-Net, arXiv 1904.07223, and the released code; departures: plugins/dgnet/README.md.
    """

    def __init__(
        self,
        backbone: dict,
        matcher: dict,
        transforms: dict[str, list],
        terms: dict[str, dict] | None = None,
        dim: int = 512,
        dropout: Sequence[float] = (0.5, 0.75),
        structure_dim: int = 16,
        mlp_dim: int = 512,
        discriminator_dim: int = 32,
        dilations: Sequence[int] = (3, 6, 9),
        slices: str = "channel",
        colour_structure: bool = False,
        upsample: int = 1,
        detach_code: bool = True,
        passes: str = "separate",
        teacher_style: str = "soft",
        r1: float = 0.01,
        checkpoint: bool = False,
        compile: bool = False,
        domain: str = "source",
        num_identities: int = 1,
        input_size: tuple[int, int] = (256, 128),
        settings: Mapping | None = None,
        precision: str = "fp32",
        channels_last: bool = True,
        runs: Mapping[str, str] | None = None,
    ):
        super().__init__(
            ReIDPreprocessor(
                transforms.get("train", []),
                transforms.get("test", []),
                None,
                settings,
                channels_last,
            )
        )
        if teacher_style not in STYLES:
            raise ValueError(f"teacher_style must be one of {STYLES}, got {teacher_style!r}")
        if min(input_size) <= 4 * max(dilations):  # E_s's map is a quarter, its border reflected
            raise UserError(
                f"input.size={tuple(input_size)} is too small for model.dilations="
                f"{tuple(dilations)}: both sides must be above {4 * max(dilations)} pixels; with "
                "64x32 use model.dilations=(1,2,3)"
            )
        if passes not in ("separate", "joint"):
            raise ValueError(f'passes must be "separate" or "joint", got {passes!r}')
        self.appearance_encoder = AppearanceEncoder(
            backbone, num_identities, dim, dropout, upsample
        )
        self.structure_encoder = StructureEncoder(structure_dim, dilations, colour_structure)
        channels = self.structure_encoder.channels
        self.mlps = CodeMLPs(self.appearance_encoder.channels, channels, mlp_dim, slices)
        self.decoder = Decoder(channels)
        self.discriminator = Discriminator(discriminator_dim)
        self.matcher = MATCHERS.build(matcher)
        self.erasing = [TRANSFORMS.build(c, settings=settings) for c in transforms["identity"]]
        self.normalize = _normalize(self.data_preprocessor.test_steps)
        self.terms = read_terms(terms)
        self.detach_code, self.passes, self.r1 = detach_code, passes, r1
        self.teacher_style, self.checkpoint = teacher_style, checkpoint
        self.precision, self.domain = precision, domain
        self.register_buffer("iteration", torch.zeros((), dtype=torch.long))
        if channels_last:
            self.to(memory_format=torch.channels_last)
        # frozen, and rebuilt from its run: no part of this model's state
        self._teacher: Sequence[Teacher] = ()
        if runs and "teacher" in runs and self.terms["primary"].weight:
            self._teacher = (Teacher.of_run(runs["teacher"], num_identities, self.normalize),)
        self._structure: Callable = self.structure_encoder.forward
        self._decode: Callable = self.decoder.forward
        if compile:
            self._structure, self._decode = map(torch.compile, (self._structure, self._decode))

    # -- what the framework asks of a model ---------------------------------------------------
    @property
    def domains(self) -> list[str]:
        """The training domain."""
        return [self.domain]

    def parameter_groups(self) -> dict[str, list[dict]]:
        """What each optimiser trains; E_a's heads are new layers, unlike its backbone."""
        encoder = self.appearance_encoder
        generator = [self.structure_encoder, self.mlps, self.decoder]
        return dict(
            reid=[
                dict(params=list(encoder.backbone.parameters())),
                dict(params=list(encoder.heads.parameters()), new=True),
            ],
            generator=[dict(params=[p for net in generator for p in net.parameters()])],
            discriminator=[dict(params=list(self.discriminator.parameters()))],
        )

    def set_teacher(self, net: nn.Module) -> None:
        """Let a trained model say whom composites look like; see ``Teacher``."""
        self._teacher = (Teacher(net),)

    def train_step(
        self, data: dict[str, ReIDBatch], optim_wrapper: OptimWrapperDict
    ) -> dict[str, float]:
        """One iteration: D on the composites, then E_s, G, MLPs and E_a on the same ones.

        The generative and the re-id losses share no graph, so each goes backward on its own.
        """
        batch = self.data_preprocessor(data, True)[self.domain]
        step = Iteration(self, batch, int(self.iteration))
        losses = {"discriminator": step.discriminator_loss()}
        optim_wrapper["discriminator"].update_params(losses["discriminator"])
        for name, terms_of in (("generator", step.generative_terms), ("reid", step.reid_terms)):
            terms = terms_of()
            if any(term.requires_grad for term in terms.values()):
                optim_wrapper[name].update_params(sum(terms.values()))
            losses |= terms
        self.iteration += 1
        values = torch.stack([loss.detach() for loss in losses.values()]).tolist()
        return {"loss": sum(values)} | {
            f"loss_{name}": value for name, value in zip(losses, values, strict=True)
        }

    def forward(self, *args, mode: str = "loss", **domains: ReIDBatch):
        """Not used: training is ``train_step``, testing is ``embed``."""
        raise TypeError("DGNet has its own train_step; for embeddings call embed(batch)")

    @torch.no_grad()
    def embed(self, batch: ReIDBatch) -> Embedding:
        """Embeddings of both heads, of the image and its mirror together, in eval mode, float32.

        Shape:
            batch.images (N, 3, H, W) uint8 -> vectors (N, 2, D) float32, each of length 1.

        Source:
            DG-Net's code: each head's vector of image and mirror at length 1, summed, at length 1.
        """
        with self._evaluating():
            images = self.data_preprocessor.one(batch).images
            with torch.autocast(images.device.type, enabled=False):
                sides = [
                    self.appearance_encoder.vectors(self.appearance_encoder(x))
                    for x in (images, images.flip(3))
                ]
            total = sum(F.normalize(side, dim=2) for side in sides)
            return Embedding(F.normalize(total, dim=2))

    # -- generating ---------------------------------------------------------------------------
    @torch.no_grad()
    def appearance(self, batch: ReIDBatch) -> Tensor:
        """Appearance codes (N, C, 4) of loaded crops, in eval mode."""
        with self._evaluating(), self.autocast():
            return self.appearance_encoder(self.data_preprocessor.one(batch).images).float()

    @torch.no_grad()
    def structure(self, batch: ReIDBatch) -> Tensor:
        """Structure codes (N, c, H / 4, W / 4) of loaded crops."""
        with self._evaluating(), self.autocast():
            return self.structure_encoder(self.data_preprocessor.one(batch).images).float()

    @torch.no_grad()
    def generate(self, appearance: Tensor, structure: Tensor) -> Tensor:
        """Images of the codes, row by row: (N, 3, H, W) uint8."""
        with self._evaluating(), self.autocast():
            return self.normalize.inverse(self.decoder(structure, *self.mlps(appearance)))

    def draw_samples(self, batch: ReIDBatch) -> dict[str, object]:
        """The swap grid of a batch: every appearance (rows) in every structure (columns)."""
        appearance, structure = self.appearance(batch), self.structure(batch)
        made = [
            self.generate(code.expand_as(appearance), structure) for code in appearance[:, None]
        ]
        originals = batch.images.permute(0, 2, 3, 1).cpu().numpy()
        grid = torch.stack(made).permute(0, 1, 3, 4, 2).cpu().numpy()
        return {"swap": swap_grid(originals, originals, grid)}

    # -- the networks as one iteration uses them ------------------------------------------------
    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Forward passes in the run's precision."""
        device = self.data_preprocessor.device.type
        kind = PRECISIONS.get(self.precision)
        with torch.autocast(device, kind or torch.bfloat16, enabled=kind is not None):
            yield

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)

    def encode_structure(self, images: Tensor, frozen: bool = False) -> Tensor:
        """Structure code with gradients to E_s, or (frozen) to the images alone."""
        if frozen:
            return frozen_call(self.structure_encoder, images)
        return recomputed(self._structure, images, active=self.checkpoint)

    def decode(self, code: Tensor, structure: Tensor) -> Tensor:
        """Images of codes, normalised."""
        weights, biases = self.mlps(code)
        return recomputed(self._decode, structure, weights, biases, active=self.checkpoint)

    def pooled(self, images: Tensor, quarters: int) -> Tensor:
        """E_a's pooled map of equal parts of a batch, each part with statistics of its own."""
        parts = images.chunk(1 if self.passes == "joint" else quarters)
        return torch.cat([self.appearance_encoder(part) for part in parts])

    def code(self, images: Tensor, quarters: int) -> Tensor:
        """Appearance codes; without graph, unless ``detach_code`` is off."""
        with torch.set_grad_enabled(not self.detach_code):
            return self.pooled(images, quarters)

    def reencode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Code and primary logits of composites by a frozen copy of E_a: gradients to the images.

        The copy has dropout off and batch statistics, and its running statistics are thrown away.
        """
        parts = images.chunk(1 if self.passes == "joint" else 2)
        copy = partial(frozen_call, CodeAndLogits(self.appearance_encoder))
        done = [recomputed(copy, part, active=self.checkpoint) for part in parts]
        codes, logits = (torch.cat(both) for both in zip(*done, strict=True))
        return (codes.detach() if self.detach_code else codes), logits


def _normalize(steps: Sequence) -> Normalize:
    found = [step for step in steps if isinstance(step, Normalize)]
    if not found:
        raise ValueError(
            "DGNet: model.transforms.test needs a Normalize; composites are undone by it"
        )
    return found[-1]
