"""The whole way from pixels to embedding as one module that can be exported.

Shape letters: N images, H W their pixels, h w the network's input, P parts, D dims.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from reidkit.data.transforms.color import IMAGENET_MEAN, IMAGENET_STD
from reidkit.errors import UserError
from reidkit.structures import Embedding, Field, ReIDBatch

INPUTS = ("float", "uint8", "imagenet")
JOINTS = 17
HALF = 0.5 + 1e-4
LENGTHS = 1e-5  # by which distances may change where lengths of parts do not count


class Graph(nn.Module):
    """Pixels in, embedding out: resizing, normalising, backbone and head of a model.

    Crops are resized as in the run's test, rounded to whole pixel values as there.

    Args:
        model: in eval mode, with ``embed``.
        size: (h, w) of the network's input in pixels.
        resize: "cv2" or "pil", as ``input.resize``.
        pixels: what comes in: "float" RGB 0..1, "uint8" RGB 0..255, or "imagenet", 0..1 normalised
            by ImageNet's mean and std, which is undone.
        any_size: crops of any size come in; False: they have the network's size already.
        unit: bring the vector of every part to length 1 / sqrt(P), so that the cosine of whole
            embeddings is the mean cosine of their parts.

    Shape:
        images (N, 3, H, W); keypoints (N, 17, 3): x, y in pixels of these images, confidence.
        returns a tuple: embedding (N, P * D), then visibility (N, P) and maps (N, C, h', w') where
        the model gives them; maps alone where it gives no vectors.

    Raises:
        ValueError: unknown ``pixels``.

    Example:
        >>> half = torch.full((1, 3, 9, 5), 0.5)
        >>> Graph(nn.Identity(), (4, 2)).resized(half)[0, 0]
        tensor([[128., 128.],
                [128., 128.],
                [128., 128.],
                [128., 128.]])
    """

    def __init__(
        self,
        model: nn.Module,
        size: tuple[int, int],
        resize: str = "cv2",
        pixels: str = "float",
        any_size: bool = True,
        unit: bool = False,
    ):
        super().__init__()
        if pixels not in INPUTS:
            raise ValueError(f"pixels must be one of {', '.join(INPUTS)}, got {pixels!r}")
        self.model: Any = model
        self.size, self.resize = size, resize
        self.pixels, self.any_size, self.unit = pixels, any_size, unit
        self.mean: Tensor
        self.std: Tensor
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            numbers = torch.tensor(values).view(1, 3, 1, 1)
            self.register_buffer(name, numbers, persistent=False)

    def forward(self, images: Tensor, keypoints: Tensor | None = None) -> tuple[Tensor, ...]:
        """The embedding's tensors, see ``names``."""
        fields = {}
        if keypoints is not None:
            height, width = images.shape[2:]
            ones = torch.ones_like(keypoints[:, 0, 0], dtype=torch.float64)
            sizes = torch.stack([ones * height, ones * width], 1)
            fields = dict(keypoints=Field(keypoints.double()), image_sizes=Field(sizes))
        embedding = self.model.embed(ReIDBatch(self.resized(images), fields=fields))
        return tuple(self.flat(embedding).values())

    def flat(self, embedding: Embedding) -> dict[str, Tensor]:
        """The tensors that go out, by name."""
        out = {}
        if (vectors := embedding.vectors) is not None:
            if self.unit:
                vectors = normalize(vectors, dim=2) / vectors.shape[1] ** 0.5
            out["embedding"] = vectors.flatten(1)
        for name in ("visibility", "maps"):
            if (tensor := getattr(embedding, name)) is not None:
                out[name] = tensor
        return out

    def resized(self, images: Tensor) -> Tensor:
        """Whole pixel values 0..255, (N, 3, h, w) float32."""
        pixels = images.float()
        if self.pixels == "imagenet":
            pixels = pixels * self.std + self.mean
        if self.pixels != "uint8":
            pixels = pixels * 255.0
        if self.any_size:
            resized = as_pil if self.resize == "pil" else as_opencv
            pixels = resized(whole(pixels), self.size)
        return whole(pixels).clamp(0, 255)


def whole(values: Tensor) -> Tensor:
    """Rounded as OpenCV and PIL do it: halves, and what is a half but for float32, go up."""
    return (values + HALF).floor()


def as_pil(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resized as PIL's ``Image.resize(BILINEAR)`` does: the filter grows where pixels become fewer.

    Args:
        images: (N, 3, H, W) float32 of whole values.
        size: height and width in pixels.
    """
    across = triangles(images.shape[3], size[1], images.device)
    down = triangles(images.shape[2], size[0], images.device)
    return down @ whole(images @ across.T)  # PIL rounds after each direction


def as_opencv(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resized as ``cv2.resize(INTER_LINEAR)`` does with bytes: weights in 1/2048, sums cut short.

    Of the pixels of 60 random crops 0.2 % differ from those of OpenCV; with real weights 13 %.

    Args:
        images: (N, 3, H, W) float32 of whole values.
        size: height and width in pixels.
    """
    first, second = steps(images.shape[3], size[1], images.device)
    rows = (images @ (first + second).T / 16).floor()
    first, second = steps(images.shape[2], size[0], images.device)
    sums = (first @ rows / 65536).floor() + (second @ rows / 65536).floor()
    return ((sums + 2) / 4).floor()


def _places(old: int, new: int, device: Any) -> Tensor:
    """Where the centres of the new pixels lie among the old ones."""
    return (torch.arange(new, device=device) + 0.5) * (old / new) - 0.5


def steps(old: int, new: int, device: Any = "cpu") -> tuple[Tensor, Tensor]:
    """Weights of the two pixels that a new one lies between, in 1/2048: each (new, old).

    Args:
        old, new: numbers of pixels in one direction.
        device: of the weights.

    Example:
        >>> first, second = steps(4, 2)
        >>> first[0].tolist(), second[0].tolist()
        ([1024.0, 0.0, 0.0, 0.0], [0.0, 1024.0, 0.0, 0.0])
    """
    pixel = torch.arange(old, device=device)
    place = _places(old, new, device).clamp(min=0).minimum(pixel[-1:].float())
    left = place.floor()
    share = ((place - left) * 2048).round()
    first = (pixel == left[:, None]) * (2048 - share)[:, None]
    return first, (pixel == left[:, None] + 1) * share[:, None]


def triangles(old: int, new: int, device: Any = "cpu") -> Tensor:
    """Weights of PIL's bilinear filter along one direction: (new, old), rows sum to 1.

    Args:
        old, new: numbers of pixels.
        device: of the weights.

    Example:
        >>> triangles(4, 2)
        tensor([[0.4286, 0.4286, 0.1429, 0.0000],
                [0.0000, 0.1429, 0.4286, 0.4286]])
    """
    place = _places(old, new, device)
    reach = torch.sym_max(old / new, 1.0)
    pixel = torch.arange(old, device=device)
    out = (1 - (pixel - place[:, None]).abs() / reach).clamp(min=0)
    return out / out.sum(1, keepdim=True)


def lengths_count(embedding: Embedding, matcher: Any) -> bool:
    """Whether a matcher looks at the lengths of part vectors.

    Args:
        embedding: of some images.
        matcher: the model's.

    Example:
        >>> from reidkit.evaluation import CosineMatcher, EuclideanMatcher
        >>> some = Embedding(torch.rand(4, 2, 8))
        >>> lengths_count(some, CosineMatcher()), lengths_count(some, EuclideanMatcher())
        (False, True)
    """
    if embedding.vectors is None:
        return True
    unit = normalize(embedding.vectors, dim=2)
    other = Embedding(unit, embedding.visibility, embedding.maps)
    before, after = (matcher(one, one) for one in (embedding, other))
    return not torch.allclose(before, after, rtol=0, atol=LENGTHS)


def labels_of(model: Any) -> tuple[str, ...]:
    """What an image must bring to a model at the test, "keypoints" or nothing.

    Raises:
        UserError: it needs something else, which an exported file does not take.
    """
    asked = set(model.inputs(None)) if hasattr(model, "inputs") else set()
    if other := asked - {"keypoints"}:
        raise UserError(
            f"the model asks for {', '.join(sorted(other))} beside every image; an exported file "
            "takes images and keypoints"
        )
    return tuple(asked)
