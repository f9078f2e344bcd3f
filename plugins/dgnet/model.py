"""DGNet: the five networks, what they are asked for, and their three optimisers.

Shapes: N images, H W pixels, K identities, C code channels, c structure channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.config.ranges import COUNT, COUNTS, FACTOR, RATE, WHOLE, Bounds
from reidkit.data.transforms import Normalize
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.models.base import TrainableModel
from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.registry import MATCHERS, MODELS, TRANSFORMS
from reidkit.structures import Embedding, ReIDBatch
from reidkit.viz.grids import swap_grid

from .iteration import Iteration
from .losses import read_terms
from .networks import Networks, check_options
from .objective import Objective
from .scene import BodyParts, Scene
from .teacher import Teacher

WIDTHS = ("dim", "structure_dim", "mlp_dim", "discriminator_dim", "upsample")


@MODELS.register_module()
class DGNet(TrainableModel):
    """Appearance encoder, structure encoder, decoder, discriminator and teacher, trained together.

    A batch is four quarters (``dgnet/PairSampler``): x_a, x_b and another crop of everyone. Side by
    side, ``x`` is [x_a; x_b] and ``swap`` exchanges the halves. Three optimisers: "reid" (E_a),
    "generator" (E_s, G and the code's MLPs) and "discriminator".

    Args:
        backbone: BACKBONES config of E_a; its deepest map is pooled.
        matcher: MATCHERS config.
        transforms: "train", "test", "identity" -> step name -> TRANSFORMS config; the last
            list runs only on what the identity losses see (random erasing). "test" must hold a
            ``Normalize``.
        networks: options of ``networks.Networks``: widths, dilations, ``slices``, ``passes``, ...
        terms: name -> changes of ``losses.PUBLISHED``: ``weight``, ``start`` and ``ramp`` in
            iterations.
        teacher_style: what the primary head learns of composites: "soft", "argmax", "appearance",
            "uniform" or "pair"; see ``teacher.target``.
        r1: weight of the gradient penalty on D.
        generator_interval: generator and discriminator learn in every n-th iteration, E_a in each;
            1 as published. More makes runs that start from a trained generator shorter.
        domain: the training domain.
        num_identities: K. Supplied by the framework.
        input_size: (height, width) in pixels. Supplied by the framework.
        settings: of the run, for transforms. Supplied by the framework.
        precision: "fp32", "bf16" or "fp16", of training; losses, the penalty on D and embeddings
            are float32 in any case.
        channels_last: memory layout of images and weights.
        runs: role -> run folder; ``runs["teacher"]`` is loaded, and from ``runs["generator"]``, a
            run of this model, all networks and the iteration. Supplied by the framework, in
            training only.

    Raises:
        ValueError: an option outside the above.
        UserError: images too small for the dilations; a teacher or generator that does not fit.

    Source:
        DG-Net, arXiv 1904.07223, and the released code; departures: plugins/dgnet/README.md.
    """

    ranges = {
        **{f"networks.{one}": COUNT for one in WIDTHS},
        "networks.dilations": COUNTS,
        "networks.discriminator_std": RATE,
        "networks.dropout": Bounds(0, 1, below=True, length=0),
        "terms.*.weight": FACTOR,
        "terms.*.start": WHOLE,
        "terms.*.ramp": WHOLE,
        "r1": FACTOR,
        "generator_interval": COUNT,
    }

    def __init__(
        self,
        backbone: dict,
        matcher: dict,
        transforms: dict[str, dict[str, dict]],
        networks: dict[str, Any] | None = None,
        terms: dict[str, dict] | None = None,
        teacher_style: str = "soft",
        r1: float = 0.01,
        generator_interval: int = 1,
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
                transforms.get("train"),
                transforms.get("test"),
                None,
                settings,
                channels_last,
            )
        )
        options = dict(networks or {})
        check_options(list(options))
        self.networks = Networks(backbone, num_identities, precision, **options)
        if self.networks.person_alone:
            self.data_preprocessor.train_steps.insert(0, BodyParts())
        _check_size(input_size, self.networks.structure_encoder.dilations)
        supply = dict(map_size=None, settings=settings)
        self.matcher = MATCHERS.build(matcher, supply)
        erasing = transforms["identity"].values()
        self.erasing = [TRANSFORMS.build(one, supply) for one in erasing]
        self.normalize = _normalize(self.data_preprocessor.test_steps)
        self.objective = Objective(read_terms(terms), r1, teacher_style)
        self.generator_interval = generator_interval
        self.domain = domain
        self.register_buffer("iteration", torch.zeros((), dtype=torch.long))
        if channels_last:
            self.to(memory_format=torch.channels_last)
        if runs and "generator" in runs:
            self._start_from(runs["generator"])
        if runs and "teacher" in runs and self.objective.terms["primary"].weight:
            # frozen, and rebuilt from its run: no part of this model's state
            self.objective.teacher = Teacher.of_run(runs["teacher"], num_identities, self.normalize)

    def _start_from(self, run: str) -> None:
        """Go on from another run: its networks, and its iteration, which the terms count from."""
        loaded = Run.open(run, model_only=True).model
        if not isinstance(loaded, DGNet):
            raise UserError(f"generator {run}: {type(loaded).__name__} is no DGNet")
        try:
            self.networks.load_state_dict(loaded.networks.state_dict())
        except RuntimeError as error:
            raise UserError(
                f"generator {run}: its networks are not this model's ({error}); name a run of "
                "the same model.networks and model.backbone, or leave it out: "
                "~prerequisites.generator"
            ) from None
        self.iteration.copy_(loaded.iteration)  # type: ignore[operator]

    # -- what the framework asks of a model ---------------------------------------------------
    @property
    def domains(self) -> list[str]:
        """The training domain."""
        return [self.domain]

    def inputs(self, domain: str | None) -> set[str]:
        """Labels that batches of the training domain must bring; embeddings (None) need none."""
        hides = domain is not None and self.networks.person_alone
        return {"keypoints"} if hides else set()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """What each optimiser trains."""
        nets, encoder = self.networks, self.networks.appearance_encoder
        generator = [nets.structure_encoder, nets.mlps, nets.decoder]
        return dict(
            reid=[*encoder.backbone.parameters(), *encoder.heads.parameters()],
            generator=[p for net in generator for p in net.parameters()],
            discriminator=list(nets.discriminator.parameters()),
        )

    def set_teacher(self, net: nn.Module) -> None:
        """Let a trained model say whom composites look like; see ``Teacher``."""
        self.objective.teacher = Teacher(net)

    def train_step(
        self, data: dict[str, ReIDBatch], optim_wrapper: Mapping[str, Any]
    ) -> dict[str, float]:
        """One iteration: D on the composites, then E_s, G, MLPs and E_a on the same ones.

        Generative and re-id losses share no graph, so each goes backward on its own.
        """
        batch = self.data_preprocessor(data, True)[self.domain]
        number = int(self.iteration)
        generative = number % self.generator_interval == 0
        with torch.set_grad_enabled(generative):
            step = self.iterate(batch, number)
        losses: dict[str, Tensor] = {}
        parts = dict(reid=step.reid_terms)
        if generative:
            losses["discriminator"] = step.discriminator_loss()
            optim_wrapper["discriminator"].update_params(losses["discriminator"])
            parts = dict(generator=step.generative_terms) | parts
        for name, terms_of in parts.items():
            terms = terms_of()
            if any(term.requires_grad for term in terms.values()):
                optim_wrapper[name].update_params(sum(terms.values()))
            losses |= terms
        self.iteration += 1
        values = torch.stack([loss.detach() for loss in losses.values()]).tolist()
        return {"loss": sum(values)} | {
            f"loss_{name}": value for name, value in zip(losses, values, strict=True)
        }

    def iterate(self, batch: ReIDBatch, number: int) -> Iteration:
        """The tensors and losses of iteration ``number`` on a prepared batch."""
        return Iteration(self.networks, self.objective, batch, number, self.erasing)

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
                encoder = self.networks.appearance_encoder
                views = [encoder.vectors(encoder(x)) for x in (images, images.flip(3))]
            total = sum(F.normalize(view, dim=2) for view in views)
            return Embedding(F.normalize(total, dim=2))

    # -- generating ---------------------------------------------------------------------------
    @torch.no_grad()
    def appearance(self, batch: ReIDBatch) -> Tensor:
        """Appearance codes (N, C, 4) of loaded crops, in eval mode."""
        with self._evaluating(), self.networks.autocast():
            images = self.data_preprocessor.one(batch).images
            return self.networks.appearance_encoder(images).float()

    @torch.no_grad()
    def structure(self, batch: ReIDBatch) -> Tensor:
        """Structure codes (N, c, H / 4, W / 4) of loaded crops."""
        nets = self.networks
        with self._evaluating(), nets.autocast():
            images = self.data_preprocessor.one(batch).images
            scene = None
            if nets.person_alone:
                scene = Scene.of(BodyParts()(batch.to(images.device)), len(batch))
            return nets.encode_structure(images, scene).float()

    @torch.no_grad()
    def generate(self, appearance: Tensor, structure: Tensor) -> Tensor:
        """Images of the codes, row by row: (N, 3, H, W) uint8."""
        with self._evaluating(), self.networks.autocast():
            return self.normalize.inverse(self.networks.decode(appearance, structure))

    def draw_samples(self, batch: ReIDBatch) -> dict[str, object]:
        """The swap grid of a batch: every appearance (rows) in every structure (columns)."""
        appearance, structure = self.appearance(batch), self.structure(batch)
        rows = [
            self.generate(code.expand_as(appearance), structure) for code in appearance[:, None]
        ]
        originals = batch.images.permute(0, 2, 3, 1).cpu().numpy()
        grid = torch.stack(rows).permute(0, 1, 3, 4, 2).cpu().numpy()
        return {"swap": swap_grid(originals, originals, grid)}

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)


def _check_size(size: tuple[int, int], dilations: Sequence[int]) -> None:
    """E_s's map is a quarter of the image, and its border is reflected as far as dilations reach.

    Raises:
        UserError: images too small for the dilations, or no multiples of four.
    """
    least = 4 * max(dilations)
    if min(size) <= least or any(side % 4 for side in size):
        raise UserError(
            f"input.size={tuple(size)} does not fit model.networks.dilations={tuple(dilations)}: "
            f"both sides must be multiples of 4 above {least} pixels; with 64x32 use "
            "model.networks.dilations=(1,2,3)"
        )


def _normalize(steps: Sequence) -> Normalize:
    steps = [step for step in steps if isinstance(step, Normalize)]
    if not steps:
        raise ValueError(
            "DGNet: model.transforms.test needs a Normalize; composites are undone by it"
        )
    return steps[-1]
