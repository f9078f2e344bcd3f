"""The skeleton of a plugin: a head, a loss and a config that work until the paper's are there."""

from __future__ import annotations

import re
from pathlib import Path

from reidkit.errors import UserError
from reidkit.plugin.errors import display_path
from reidkit.plugin.manifest import RESERVED
from reidkit.plugin.project import PROJECT
from reidkit.utils.io import atomic_folder
from reidkit.version import PLUGIN_API, __version__

# in the files below, to be replaced by the method's own words; a check notes what is left
PLACEHOLDERS = (
    "what the method does, in one sentence",
    "What the method claims, in two sentences",
    'title: ""',
)

MANIFEST = """\
name: {name}
version: 0.1.0
api: {api}
reidkit: ">={major}.{minor},<{major}.{next}"
paper: {{title: "", arxiv: ""}}
provides:
  heads: [{camel}Head]
  losses: [{camel}Loss]
requires: []                   # extra distributions, such as "scipy>=1.9"
settings:
  temperature: {{default: 1.0, help: "divides the logits; lower is sharper"}}
"""

PACKAGE = '''\
"""{camel}: what the method does, in one sentence.

1. ``head``: feature maps -> the embedding, and identity logits in training.
2. ``loss``: what the logits are trained on.
"""

from . import head, loss

__all__ = ["head", "loss"]
'''

HEAD = '''\
"""The embedding: one vector per image.

Shape letters: N images, C channels, h w feature cells, D dims, K identities.
"""

from __future__ import annotations

from torch import Tensor, nn

from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch


@HEADS.register_module()
class {camel}Head(nn.Module):
    """One pooled and projected vector per image, with an identity classifier in training.

    Args:
        features: specs of the backbone's maps; the deepest is used. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        dim: length D of the embedding.

    Shape:
        deepest map (N, C, h, w) -> vectors (N, 1, D); logits (N, 1, K) in training.

    Example:
        >>> import torch
        >>> head = {camel}Head({{"map": FeatureSpec(8, 16)}}, num_identities=5, dim=4).eval()
        >>> head({{"map": torch.rand(2, 8, 6, 2)}}, None).embedding.vectors.shape
        torch.Size([2, 1, 4])
    """

    def __init__(self, features: dict[str, FeatureSpec], num_identities: int, dim: int = 256):
        super().__init__()
        self.map = list(features)[-1]
        self.project = nn.Linear(features[self.map].channels, dim)
        self.norm = nn.BatchNorm1d(dim)
        self.classifier = nn.Linear(dim, num_identities, bias=False)

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifier.parameters())

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Pool the deepest map, project, and classify in training."""
        vector = self.norm(self.project(maps[self.map].mean(dim=(2, 3))))
        logits = self.classifier(vector).unsqueeze(1) if self.training else None
        return HeadOutput(Embedding(vector.unsqueeze(1)), logits)
'''

LOSS = '''\
"""What the logits are trained on."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.registry import LOSSES


@LOSSES.register_module()
class {camel}Loss(nn.Module):
    """Identity classification at a temperature.

    Args:
        temperature: divides the logits; lower is sharper. None: the setting
            ``{name}.temperature``.
        settings: the settings of the run. Supplied by the framework.

    Shape:
        logits (N, P, K) float; identities (N,) int64 in [0, K); returns ().

    Example:
        >>> import torch
        >>> {camel}Loss(temperature=0.5)(torch.tensor([[[1.0, 0.0]]]), torch.tensor([0]))
        tensor(0.1269)
    """

    def __init__(self, temperature: float | None = None, settings: Mapping | None = None):
        super().__init__()
        if temperature is None:
            temperature = (settings or {{}}).get("{name}", {{}}).get("temperature", 1.0)
        self.temperature = temperature

    def forward(self, logits: Tensor, identities: Tensor) -> Tensor:
        """The mean over images and parts."""
        parts = logits.shape[1]
        flat = logits.flatten(0, 1) / self.temperature
        return F.cross_entropy(flat, identities.repeat_interleave(parts))
'''

CONFIG = """\
# {camel} on the default data.    reidkit train {name}/baseline
plugins = ["{name}"]
model = dict(
    type="ReIDModel",
    head=dict(type="{name}/{camel}Head", dim=128),
    losses=dict(id=dict(domain="source", weight=1.0, loss=dict(type="{name}/{camel}Loss"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(flip=dict(type="RandomFlip", p=0.5), normalize=dict(type="Normalize")),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
"""

RECIPE = """\
# Minutes on two CPU cores. Beside it may lie paper.py, the published recipe, for recipe=paper.
input = dict(size=(128, 64))
train = dict(
    epochs=12,
    batch_size=32,
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
)
model = dict(backbone=dict(type="ResNet", depth=18, width=32, stages=3))
"""

README = """\
# {name}

What the method claims, in two sentences. Results, known departures and sources below.

| paper | file |
|---|---|
| the embedding | `head.py` |
| the loss | `loss.py` |

    reidkit plugins check {name}
    reidkit train {name}/baseline
"""

FILES = {
    "plugin.yaml": MANIFEST,
    "__init__.py": PACKAGE,
    "head.py": HEAD,
    "loss.py": LOSS,
    "configs/baseline.py": CONFIG,
    "configs/recipe/quick.py": RECIPE,
    "README.md": README,
}


def write_package(name: str, folder: Path) -> Path:
    """Write ``folder/name``: manifest, head, loss, config, recipe, README; the plugin alone.

    Args:
        name: of the plugin: lower-case letters, digits and underscores, a letter first.
        folder: must be one that is searched for plugins, or be named in REIDKIT_PLUGIN_PATH.

    Returns:
        The folder written.

    Raises:
        UserError: a name that does not fit, or a folder that exists already.
    """
    return _write(name, folder, FILES)


def write_project(name: str, folder: Path) -> Path:
    """Write ``folder/name``: a project to put under version control, with the plugin inside.

    Around the package, which lies in ``folder/name/name``: tests, a CI file, and what makes it
    installable as ``reidkit-<name>``.

    Args:
        name: as for ``write_package``.
        folder: where the project's folder is made.

    Returns:
        The folder written.

    Raises:
        UserError: as ``write_package``.
    """
    package = {f"{{name}}/{file}": text for file, text in FILES.items() if file != "README.md"}
    return _write(name, folder, {**package, **PROJECT})


def template_text(folder: Path) -> list[str]:
    """Where a plugin still says what the skeleton said, one line each.

    Args:
        folder: of the plugin; the README of the project around it is read too.
    """
    readme = next((p for p in (folder, folder.parent) if (p / "README.md").is_file()), folder)
    files = [*sorted(folder.glob("*.py")), folder / "plugin.yaml", readme / "README.md"]
    texts = {path.name: path.read_text("utf-8") for path in files if path.is_file()}
    return [
        f"{file}: {words}"
        for file, text in texts.items()
        for words in PLACEHOLDERS
        if words in text
    ]


def _write(name: str, folder: Path, files: dict[str, str]) -> Path:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"{name!r} cannot name a plugin: lower-case letters, digits and underscores, a letter "
            "first"
        )
    if name in RESERVED:
        raise UserError(f"{name!r} cannot name a plugin: {RESERVED[name]}")
    target = folder / name
    if target.exists():
        raise UserError(f"{display_path(target)} exists already; choose another name or remove it")
    major, minor, *_ = __version__.split(".")
    words = dict(
        name=name,
        camel="".join(part.capitalize() for part in name.split("_")),
        api=PLUGIN_API,
        major=major,
        minor=minor,
        next=int(minor) + 1,
    )
    with atomic_folder(target) as made:
        for file, text in files.items():
            path = made / file.format(**words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(**words), encoding="utf-8")
    return target
