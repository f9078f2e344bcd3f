"""The five networks and the passes through them that one iteration asks for.

Shapes: N images, H W pixels, K identities, C code channels, c structure channels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from .appearance import AppearanceEncoder
from .decoder import CodeMLPs, Decoder
from .discriminator import Discriminator
from .frozen import CodeAndLogits, frozen_call, recomputed
from .scene import Scene, blend
from .structure import StructureEncoder

STRUCTURES = {"grey": 1, "scene": Scene.CHANNELS, "colour": 3}  # channels that E_s sees
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Networks(nn.Module):
    """Appearance encoder E_a, structure encoder E_s, the code's MLPs, decoder G, discriminator D.

    Args:
        backbone: BACKBONES config of E_a; its deepest map is pooled.
        num_identities: K.
        precision: "fp32", "bf16" or "fp16" of the passes inside ``autocast``.
        dim: width of each head's embedding.
        dropout: of the primary and of the fine-grained head.
        structure_dim: width d of E_s; the decoder has 8 d channels.
        mlp_dim: hidden width of the code's MLPs.
        discriminator_dim: width of D.
        discriminator_std: of the weights that D starts from; see ``Discriminator``.
        dilations: of E_s, in cells of its map.
        slices: "channel" or "stripe": how the code is shared among the blocks; see ``CodeMLPs``.
        structure: what E_s sees: "grey" (paper); "scene": the person alone, without brightness,
            whom the decoder draws over the crop, which takes keypoints (departure, see ``scene``);
            "colour": control.
        upsample: enlarges E_a's input; see ``AppearanceEncoder``.
        detach_code: as released, no generative loss reaches E_a. False is the paper's text: the
            code carries gradients to E_a and to the copy that re-encodes composites.
        passes: "separate": E_a sees each quarter of the batch on its own, as released, so batch
            statistics are of B images; "joint": all that go through it together.
        checkpoint: recompute activations of E_s, G and the frozen copy in backward: less memory.
        compile: run E_s and G through ``torch.compile``.

    Raises:
        ValueError: an option outside the above.

    Source:
        DG-Net, arXiv 1904.07223, and the released code; departures: plugins/dgnet/README.md.

    Example:
        >>> nets = Networks(dict(type="ResNet", depth=10, width=8), 5, dim=8, structure_dim=2,
        ...                 mlp_dim=8, discriminator_dim=4, dilations=(1, 2, 3))
        >>> images = torch.rand(4, 3, 64, 32)
        >>> nets.decode(nets.code(images, 4), nets.encode_structure(images)).shape
        torch.Size([4, 3, 64, 32])
    """

    def __init__(
        self,
        backbone: dict,
        num_identities: int,
        precision: str = "fp32",
        dim: int = 512,
        dropout: Sequence[float] = (0.5, 0.75),
        structure_dim: int = 16,
        mlp_dim: int = 512,
        discriminator_dim: int = 32,
        discriminator_std: float = 0.02,
        dilations: Sequence[int] = (3, 6, 9),
        slices: str = "channel",
        structure: str = "grey",
        upsample: int = 1,
        detach_code: bool = True,
        passes: str = "separate",
        checkpoint: bool = False,
        compile: bool = False,
    ):
        super().__init__()
        if passes not in ("separate", "joint"):
            raise ValueError(f'passes must be "separate" or "joint", got {passes!r}')
        if structure not in STRUCTURES:
            raise ValueError(f"structure must be one of {tuple(STRUCTURES)}, got {structure!r}")
        self.appearance_encoder = AppearanceEncoder(
            backbone, num_identities, dim, dropout, upsample
        )
        self.structure_encoder = StructureEncoder(structure_dim, dilations, STRUCTURES[structure])
        channels = self.structure_encoder.channels
        self.mlps = CodeMLPs(self.appearance_encoder.channels, channels, mlp_dim, slices)
        self.decoder = Decoder(channels)
        self.discriminator = Discriminator(discriminator_dim, discriminator_std)
        self.precision, self.detach_code = precision, detach_code
        self.person_alone = structure == "scene"
        self.passes, self.checkpoint = passes, checkpoint
        self._structure: Callable = self.structure_encoder.forward
        self._decode: Callable = self.decoder.forward
        if compile:
            self._structure, self._decode = map(torch.compile, (self._structure, self._decode))

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Forward passes in the run's precision."""
        device = next(self.parameters()).device.type
        kind = PRECISIONS.get(self.precision)
        with torch.autocast(device, kind or torch.bfloat16, enabled=kind is not None):
            yield

    def encode_structure(
        self, images: Tensor, scene: Scene | None = None, frozen: bool = False
    ) -> Tensor:
        """Structure code (N, c, H / 4, W / 4), with gradients to E_s, or (frozen) to the images.

        Args:
            images: (N, 3, H, W), normalised.
            scene: where the person is in each; the code then has what is around in 64 further
                channels. None: images are seen as they are.
            frozen: whether gradients reach the images in place of E_s.
        """
        seen = images if scene is None else scene.body(images)
        if frozen:
            code = frozen_call(self.structure_encoder, seen)
        else:
            code = recomputed(self._structure, seen, active=self.checkpoint)
        return code if scene is None else torch.cat([code.float(), scene.surroundings(images)], 1)

    def encoder_channels(self, structure: Tensor) -> Tensor:
        """The channels of a structure code that E_s gave."""
        return structure[:, : self.structure_encoder.channels]

    def decode(self, code: Tensor, structure: Tensor) -> Tensor:
        """Images (N, 3, H, W) of codes, normalised."""
        weights, biases = self.mlps(code)
        person = self.encoder_channels(structure)
        surroundings = structure[:, person.shape[1] :]
        image = recomputed(self._decode, person, weights, biases, active=self.checkpoint)
        return blend(surroundings, image) if surroundings.shape[1] else image

    def pooled(self, images: Tensor, quarters: int) -> Tensor:
        """E_a's pooled map (N, C, 4) of equal parts of a batch, each with its own statistics."""
        parts = images.chunk(1 if self.passes == "joint" else quarters)
        return torch.cat([self.appearance_encoder(part) for part in parts])

    def code(self, images: Tensor, quarters: int) -> Tensor:
        """Appearance codes (N, C, 4); without graph, unless ``detach_code`` is off."""
        with torch.set_grad_enabled(not self.detach_code):
            return self.pooled(images, quarters)

    def reencode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Code and primary logits of composites by a frozen copy of E_a: gradients to the images.

        The copy has dropout off and batch statistics, and its running statistics are thrown away.
        """
        parts = images.chunk(1 if self.passes == "joint" else 2)
        copy = partial(frozen_call, CodeAndLogits(self.appearance_encoder))
        outputs = [recomputed(copy, part, active=self.checkpoint) for part in parts]
        codes, logits = (torch.cat(both) for both in zip(*outputs, strict=True))
        return (codes.detach() if self.detach_code else codes), logits


# what a config may say under ``networks``
OPTIONS = tuple(inspect.signature(Networks).parameters)[3:]


def check_options(options: Sequence[str]) -> None:
    """Refuse names that are no option of ``networks``.

    Raises:
        ValueError: the first of them, with all that there are.

    Example:
        >>> check_options(["dim"])
        >>> check_options(["dimm"])
        Traceback (most recent call last):
        ValueError: networks has no 'dimm'; it has dim, dropout, structure_dim, ...
    """
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise ValueError(f"networks has no {unknown[0]!r}; it has {', '.join(OPTIONS)}")
