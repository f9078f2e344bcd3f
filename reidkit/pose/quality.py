"""How good keypoints look where nobody knows the truth: lost joints, skeletons that cannot be.

Shape letters: N crops, 17 joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reidkit.pose.body import ARMS, FOREARM, LEGS, SHIN, THIGH, UPPER_ARM, VISIBLE

HEAD, SHOULDERS, HIPS, KNEES, ANKLES = (0, 1, 2, 3, 4), (5, 6), (11, 12), (13, 14), (15, 16)
TOO_LONG = 1.4  # times the length that a limb has beside its torso
UNEVEN = 0.6  # a thigh or shin that is shorter than this part of the other one
LEAN = 0.35  # torso lengths by which the hips lie beside the shoulders
POOR = 0.1  # share of crops whose skeleton is missing or cannot be


@dataclass(frozen=True)
class Quality:
    """What the keypoints of some crops look like, without any truth.

    Attributes:
        crops: how many.
        nobody: share of crops in which no joint was found.
        lost: share of joints with a confidence of at most 0.1, over all crops.
        no_trunk: share of crops in which both shoulders or both hips are lost.
        implausible: share of the other skeletons that no upright person has: the head not above the
            shoulders, these not above the hips, and so on down to the ankles; a limb that is
            ``TOO_LONG`` for the torso; legs that are ``UNEVEN``; a torso that ``LEAN``s.

    Example:
        >>> print(Quality(200, 0.0, 0.125, 0.01, 0.02))
        joints lost 12.5%, trunk lost 1.0%, skeletons that cannot be 2.0%
    """

    crops: int
    nobody: float
    lost: float
    no_trunk: float
    implausible: float

    @property
    def poor(self) -> bool:
        """Whether more than a tenth of the crops have no skeleton, or one that cannot be."""
        return self.no_trunk + (1 - self.no_trunk) * self.implausible > POOR

    def __str__(self) -> str:
        text = f"joints lost {self.lost:.1%}, trunk lost {self.no_trunk:.1%}, "
        text += f"skeletons that cannot be {self.implausible:.1%}"
        return text + (f", nobody found in {self.nobody:.1%} of crops" if self.nobody else "")

    @classmethod
    def of(cls, keypoints: np.ndarray) -> Quality:
        """The quality of keypoints.

        Measured on CUHK01's 3,884 photographs: joints of a COCO network that are right by eye have
        13 % lost joints (faces seen from behind), 0.1 % lost trunks and 0.3 % skeletons that cannot
        be; those of the model shipped for SynthPed, right on 54 to 60 %, have 21 %, 12 % and 20 %.

        Shape:
            keypoints (N, 17, 3): x, y in crop pixels, confidence.

        Example:
            >>> Quality.of(np.zeros((2, 17, 3))).nobody
            1.0
        """
        if not len(keypoints):
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        seen = keypoints[..., 2] > VISIBLE
        points = np.where(seen[..., None], keypoints[..., :2], 0).astype(np.float64)
        trunk = seen[:, SHOULDERS].any(1) & seen[:, HIPS].any(1)
        wrong = trunk & _cannot_be(points, seen)
        return cls(
            crops=len(keypoints),
            nobody=float(1 - seen.any(1).mean()),
            lost=float(1 - seen.mean()),
            no_trunk=float(1 - trunk.mean()),
            implausible=float(wrong.sum() / max(int(trunk.sum()), 1)),
        )

    def as_dict(self) -> dict[str, Any]:
        """For the description of a label store, rounded to a ten-thousandth."""
        return {key: round(value, 4) for key, value in asdict(self).items()}

    @classmethod
    def stored(cls, meta: Mapping[str, Any]) -> Quality:
        """The quality in the description of a label store."""
        return cls(**meta["quality"])


def _centre(points: np.ndarray, seen: np.ndarray, joints: tuple[int, ...]) -> tuple:
    """Mean place of the joints that are seen (N, 2), and whether one is (N,)."""
    weight = seen[:, joints].astype(np.float64)
    total = (points[:, joints] * weight[..., None]).sum(1)
    return total / np.maximum(weight.sum(1), 1)[:, None], weight.any(1)


def _cannot_be(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Skeletons with a trunk that no upright person has: (N,) bool, anything without a trunk."""
    groups = (HEAD, SHOULDERS, HIPS, KNEES, ANKLES)
    centres = [_centre(points, seen, group) for group in groups]
    (shoulders, _), (hips, _) = centres[1:3]
    torso = np.maximum(np.linalg.norm(shoulders - hips, axis=1), 1e-6)
    wrong: np.ndarray = np.abs(hips[:, 0] - shoulders[:, 0]) > LEAN * torso
    for (upper, has_upper), (lower, has_lower) in zip(centres, centres[1:], strict=False):
        gap = 0.05 * torso if upper is centres[0][0] else 0.0
        wrong = wrong | has_upper & has_lower & (lower[:, 1] - upper[:, 1] < gap)
    lengths: dict[tuple[int, int], np.ndarray] = {}
    both: dict[tuple[int, int], np.ndarray] = {}
    usual = ((LEGS, THIGH, SHIN), (ARMS, UPPER_ARM, FOREARM))
    for limbs, first, second in usual:
        for a, b, c in limbs:
            for bone, length in (((a, b), first), ((b, c), second)):
                lengths[bone] = np.linalg.norm(points[:, bone[0]] - points[:, bone[1]], axis=1)
                both[bone] = np.asarray(seen[:, bone].all(1))
                wrong = wrong | both[bone] & (lengths[bone] > TOO_LONG * length * torso)
    for one, other in (((11, 13), (12, 14)), ((13, 15), (14, 16))):
        short = np.minimum(lengths[one], lengths[other])
        longer = np.maximum(lengths[one], lengths[other])
        wrong = wrong | both[one] & both[other] & (short < UNEVEN * longer)
    return wrong
