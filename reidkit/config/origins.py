"""Where the values of a saved config come from, as far as that can be known afterwards."""

from __future__ import annotations

from mmengine.config import Config

from reidkit.config.files import config_path, is_installed
from reidkit.config.load import Resolved, resolve
from reidkit.errors import UserError


def origins_of_run(cfg: Config) -> Resolved | None:
    """The config that a run was started from, resolved as it is today without any override.

    What the run has differently was typed on the command line, or the file has changed since.

    Args:
        cfg: of a run folder. Its ``source`` is opened only where it is an installed config.

    Returns:
        None where it is not installed, or does not resolve any more.
    """
    try:
        file = config_path(str(cfg.get("source", "")))
        if not is_installed(file):
            return None
        return resolve(file, [f"{group}={value}" for group, value in cfg.groups.items()])
    except UserError:
        return None
