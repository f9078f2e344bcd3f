"""What file names tell: identity and camera by regular expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reidkit.errors import UserError


class NamePattern:
    r"""A regular expression with one group, searched in the name of a file.

    Args:
        option: what the group is ("identity", "camera"), for messages.
        pattern: the expression; one with "/" is searched in the whole path below the data set's
            folder, any other in the name of the file.

    Raises:
        ValueError: no regular expression, or one without exactly one group.

    Example:
        >>> NamePattern("camera", r"_cam(\d+)").of("train/p07_cam2_0031.jpg", "my set")
        '2'
        >>> NamePattern("camera", r"cam(\d+)/").of("cam3/p07/0031.jpg", "my set")
        '3'
    """

    def __init__(self, option: str, pattern: str):
        self.option, self.text = option, pattern
        try:
            self.pattern = re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(f"{option}={pattern!r} is no regular expression: {error}") from None
        if self.pattern.groups != 1:
            raise ValueError(f"{option} must have exactly one group, got {pattern!r}")

    def of(self, path: str, title: str) -> str:
        """The text of the group.

        Args:
            path: relative path with forward slashes.
            title: of the data set, for the message.

        Raises:
            UserError: the pattern is not found, or its group is empty.
        """
        match = self.pattern.search(path if "/" in self.text else path.rpartition("/")[2])
        if match is None or not match[1]:
            raise UserError(
                f"{title}: {path} has no {self.option} after '{self.text}'; rename the file, or "
                f"change the option {self.option}"
            )
        return match[1]


# as names are met; each with the names of one data set in mind
IDENTITIES = (
    r"^(-?\d+)_", r"^p(\d+)_", r"^id(\d+)_", r"^person_?(\d+)_", r"_id(\d+)", r"^([^_]+)_",
)  # fmt: skip
CAMERAS = (r"_c(\d+)", r"_cam(\d+)", r"cam_?(\d+)", r"camera_?(\d+)", r"^c(\d+)", r"_C(\d+)")


def suggest_patterns(paths: Sequence[str]) -> dict[str, str]:
    r"""Patterns that read identity and camera off these names; nothing where none fits all of them.

    An identity must be met twice and two be met; cameras, if the names tell some, at least two.

    Args:
        paths: relative paths.

    Example:
        >>> suggest_patterns(["p07_cam2_0031.jpg", "p07_cam1_0004.jpg", "p09_cam1_0011.jpg"])
        {'identity': '^p(\\d+)_', 'camera': '_cam(\\d+)'}
        >>> suggest_patterns(["a.jpg", "b.jpg"])
        {}
    """
    names = [path.rpartition("/")[2] for path in paths]
    for identity in IDENTITIES:
        people = _found(identity, names)
        if people is not None and 1 < len(set(people)) < len(people):
            return {"identity": identity} | suggest_camera(paths)
    return {}


def suggest_camera(paths: Sequence[str]) -> dict[str, str]:
    """A pattern that reads the camera off these names, as `suggest_patterns`."""
    names = [path.rpartition("/")[2] for path in paths]
    for camera in CAMERAS:
        cameras = _found(camera, names)
        if cameras is not None and 1 < len(set(cameras)) <= max(2, len(names) // 2):
            return {"camera": camera}
    return {}


def _found(pattern: str, names: Sequence[str]) -> list[str] | None:
    """The group in every name; None where a name has none."""
    found = [re.search(pattern, name) for name in names]
    return [one[1] for one in found if one] if found and all(found) else None
