"""Part labels: crops -> 17 COCO keypoints by mmpose -> part maps -> a label store on disk.

Read in this order: ``compat`` (how mmpose is imported), ``models`` and ``checkpoint`` (any top-down
mmpose model, weights that cannot run code), ``warp`` and ``heatmaps`` (batched on the device),
``labeller``, ``part_maps``, ``store`` and ``generate``; then ``coco_json``, ``imports``,
``score``, ``training``. Importing this package does not import mmpose.

Shape letters: N crops, K = 17 joints, H W input pixels, h w heatmap or part-map cells.
"""

from reidkit.pose.generate import ensure_labels
from reidkit.pose.labeller import TopdownLabeller
from reidkit.pose.part_maps import paint_part_maps, resize_part_labels
from reidkit.pose.store import LabelStore

__all__ = [
    "LabelStore",
    "TopdownLabeller",
    "ensure_labels",
    "paint_part_maps",
    "resize_part_labels",
]
