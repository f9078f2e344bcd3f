# What real photographs share: COCO persons as second part-label set, and an official COCO pose
# model, both of which you fetch yourself: docs/data.md.
data = dict(
    domains=dict(parts=dict(type="CocoPersons", masks="masks_7_parts/train")),
    labeller=dict(
        type="TopdownLabeller",
        config="td-hm_hrnet-w32_8xb64-210e_coco-256x192",
        checkpoint="data/pose/td-hm_hrnet-w32_8xb64-210e_coco-256x192.pth",
    ),
)
