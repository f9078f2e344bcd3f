"""One setting: a name with a typed default, a line of help, and a check of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """A setting's default, which also gives its type, with help.

    Args:
        default: value when nothing is set; None accepts any value.
        help: what it does, with unit and effect.
        choices: the values allowed; empty for every value of the type.
        low: least value of a number.
        high: greatest value of a number; neither is infinite.

    Example:
        >>> Setting(0.1, "least confidence of a keypoint").problem("high")
        "expected float, got 'high' (str)"
        >>> Setting(0.1, "", low=0, high=1).problem(2)
        'expected a finite number of at least 0 and at most 1, got 2.0'
        >>> Setting(0.1, "").coerce(1)
        1.0
    """

    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None

    def coerce(self, value: Any) -> Any:
        """``value`` as the default's type where that is exact: int to float, list to tuple."""
        if isinstance(self.default, float) and isinstance(value, int) and not _is_bool(value):
            return float(value)
        if isinstance(self.default, (list, tuple)) and isinstance(value, (list, tuple)):
            return type(self.default)(value)
        return value

    def problem(self, value: Any) -> str:
        """Why ``value`` is refused; empty when it is fine."""
        value = self.coerce(value)
        wanted = type(self.default)
        if self.default is not None and type(value) is not wanted:
            hint = ""
            if wanted is bool and str(value).lower() in ("true", "false"):
                hint = f"; write {str(value).capitalize()}"
            return f"expected {wanted.__name__}, got {value!r} ({type(value).__name__}){hint}"
        if self.choices and value not in self.choices:
            allowed = ", ".join(map(repr, self.choices))
            return f"expected one of {allowed}; got {value!r}"
        least, most = (self.low, self.high) if isinstance(value, (int, float)) else (None, None)
        fits = (least is None or value >= least) and (most is None or value <= most)
        if isinstance(value, float) and not math.isfinite(value) or not fits:
            return f"expected a finite number{self.bounds}, got {value!r}"
        return ""

    @property
    def bounds(self) -> str:
        """Its bounds in words; empty without any."""
        low = "" if self.low is None else f" of at least {self.low:g}"
        high = "" if self.high is None else f"{' and' if low else ''} at most {self.high:.10g}"
        return low + high


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)
