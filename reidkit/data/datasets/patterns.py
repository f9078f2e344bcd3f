"""What file names tell: identity and camera by regular expressions."""

from __future__ import annotations

import re

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
