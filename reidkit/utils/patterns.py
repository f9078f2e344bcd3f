"""Numbers by patterns of names, as ``train.lr_mult`` and ``train.loss_mult`` give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase


def factors_by_name(names: Iterable[str], patterns: Mapping[str, float]) -> dict[str, float]:
    """The factor of each name; 1 where no pattern matches.

    Args:
        names: of parameters, or of loss roles.
        patterns: factor by pattern, as in the shell ("backbone.*"). Of several that match, the
            longest counts.

    Raises:
        KeyError: a pattern that matches no name; its argument is that pattern.

    Example:
        >>> factors_by_name(["id", "image"], {"*": 0.0, "image": 0.5})
        {'id': 0.0, 'image': 0.5}
    """
    factors, used = {}, set[str]()
    for name in names:
        matching = [pattern for pattern in patterns if fnmatchcase(name, pattern)]
        used.update(matching)
        factors[name] = float(patterns[max(matching, key=len)]) if matching else 1.0
    for pattern in patterns:
        if pattern not in used:
            raise KeyError(pattern)
    return factors
