"""Hubs: the Hugging Face Hub, or a folder that stands for it, such as a shared drive.

``REIDKIT_HUB`` names such a folder; models lie in it as ``<owner>/<name>``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reidkit.config import portable
from reidkit.engine.calibrate import FILE as CALIBRATION
from reidkit.engine.sharing import roboflow
from reidkit.errors import UserError
from reidkit.models.weights.library import hub as client
from reidkit.utils.io import atomic_folder

PREFIX = "hf://"
LOCAL = "REIDKIT_HUB"
# what is sent and fetched: nothing in it is code
FILES = (
    portable.FILE, "*.safetensors", CALIBRATION, "thresholds.json", roboflow.FILE, "README.md",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def snapshot(repository: str) -> Path:
    """The folder of a repository of the hub: its cache, else fetched into it.

    Only ``FILES`` are fetched: nothing in them is code.

    Args:
        repository: "<owner>/<name>", perhaps with "@<revision>"; "hf://" may stand before it.

    Raises:
        UserError: huggingface_hub is not installed; no such repository, or no network.
    """
    name, revision = _parted(repository)
    if local := _local(name):
        if revision:
            raise UserError(f"hf://{repository}: {LOCAL} is a folder, which keeps no revisions")
        if not local.is_dir():
            raise UserError(f"hf://{name}: no folder {local} ({LOCAL} names the hub's)")
        return local
    fetch = _library("snapshot_download")
    options: dict[str, Any] = dict(revision=revision or None, allow_patterns=list(FILES))
    try:
        return Path(fetch(name, local_files_only=True, **options))
    except Exception:  # not in the cache
        pass
    with client() as online:
        try:
            return Path(fetch(name, **options))
        except Exception as error:
            cause = _cause(error) if online else "no network"
            raise UserError(
                f"hf://{name}: could not be fetched ({cause}): download its config.json and "
                ".safetensors elsewhere and name their folder instead"
            ) from None


def push(folder: Path, repository: str, private: bool = False, message: str = "") -> str:
    """Send a saved model to a hub.

    Args:
        folder: of ``reidkit.save``; only ``FILES`` of it are sent.
        repository: "<owner>/<name>"; made if missing.
        private: whether only its owner sees a repository that is made now.
        message: of the commit.

    Returns:
        Where it lies now.

    Raises:
        UserError: huggingface_hub is not installed, no network, or the hub refuses.
    """
    name, revision = _parted(repository)
    if revision:
        raise UserError(f"{repository}: a model is sent to a repository, not to a revision of it")
    if local := _local(name):
        with atomic_folder(local, replace=True) as new:
            _copy(folder, new)
        return str(local)
    api = _library("HfApi")()
    with client() as online:
        if not online:
            raise UserError(f"{name}: the hub does not answer; {LOCAL}=FOLDER takes one of yours")
        try:
            address = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=name,
                folder_path=str(folder),
                allow_patterns=list(FILES),
                commit_message=message or "Model saved by reidkit",
            )
        except Exception as error:
            raise UserError(
                f"{name}: the hub refused it ({_cause(error)}); `hf auth login` gives you a token"
            ) from None
    return str(address)


def pull(repository: str, folder: Path) -> Path:
    """Copy a model from a hub into a folder.

    Args:
        repository: as ``snapshot``.
        folder: new or empty.

    Raises:
        UserError: as ``snapshot``, or the folder holds something.
    """
    found = snapshot(repository)
    try:
        with atomic_folder(folder) as new:
            _copy(found, new)
    except FileExistsError:
        raise UserError(f"{folder}: holds something; choose a new folder") from None
    return folder


def _copy(source: Path, target: Path) -> None:
    """The files of a model; links in a hub's cache lead to its blobs, and are copied as files."""
    for pattern in FILES:
        for file in sorted(source.glob(pattern)):
            shutil.copyfile(file, target / file.name)


def _parted(repository: str) -> tuple[str, str]:
    """Name and revision of a repository.

    Raises:
        UserError: not a name of the form "<owner>/<name>".
    """
    name, _, revision = repository.removeprefix(PREFIX).partition("@")
    if not _NAME.fullmatch(name):
        raise UserError(f"{repository:.200}: expected <owner>/<name>")
    return name, revision


def _local(name: str) -> Path | None:
    root = os.environ.get(LOCAL)
    return Path(root, name) if root else None


def _library(what: str) -> Callable[..., Any]:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            "hf:// needs huggingface_hub: python -m pip install huggingface_hub"
        ) from None
    return getattr(huggingface_hub, what)


def _cause(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
