"""Which joints are in the picture, where everything is known of a crop."""

from __future__ import annotations

import numpy as np


def joints_in_picture(joints: np.ndarray, sizes: np.ndarray, part_maps: np.ndarray) -> np.ndarray:
    """Joints inside the crop where the person is seen, be it another part of the same body.

    COCO's flag 1 (hidden) does not tell what hides a joint. A hip behind the person's own forearm
    leaves the hips' region in the picture; one behind a bench, or another person, does not. So a
    hidden joint counts when the part map shows some part of the person at its place.

    Shape:
        joints (N, 17, 3) x, y in crop pixels, COCO flag; sizes (N, 2) height, width;
        part_maps (N, h, w) classes, 0 where the person is not seen.
        returns (N, 17) bool.

    Example:
        >>> joints = np.zeros((1, 17, 3))
        >>> joints[0, :4] = (1, 1, 2), (1, 1, 1), (3, 3, 1), (1, 1, 0)
        >>> part_maps = np.array([[[5, 0], [0, 0]]])
        >>> joints_in_picture(joints, np.array([[4, 4]]), part_maps)[0, :4].tolist()
        [True, True, False, False]
    """
    cells = np.array(part_maps.shape[1:])[::-1] / sizes[:, ::-1]  # cells per pixel, x and y
    place = np.floor(joints[..., :2] * cells[:, None]).astype(np.int64)
    x = place[..., 0].clip(0, part_maps.shape[2] - 1)
    y = place[..., 1].clip(0, part_maps.shape[1] - 1)
    person = part_maps[np.arange(len(joints))[:, None], y, x] > 0
    flag = joints[..., 2]
    return (flag == 2) | ((flag == 1) & person)
