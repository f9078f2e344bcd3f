# Market-1501 with multiple queries: all images of a query's person and camera (gt_bbox) are pooled.
# Layout: docs/data.md
_base_ = ["market1501.py"]
evaluation = dict(protocol="multi-query")
