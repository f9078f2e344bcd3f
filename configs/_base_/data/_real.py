# What real photographs share: COCO persons as second part-label set, which you fetch yourself.
# Poses come from an official COCO model (pose=rtmpose-m) or are imported: docs/data.md.
data = dict(domains=dict(parts=dict(type="CocoPersons", masks="masks_7_parts/train")))
