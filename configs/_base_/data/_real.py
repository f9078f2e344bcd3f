# What real photographs share: COCO as second part-label set, and an official COCO pose model, which
# you fetch yourself (docs/data.md says where to put it).
data = dict(
    domains=dict(
        parts=dict(type="CocoPersons"),
        parts_styled=dict(type="CocoPersons", styled=True),
    ),
    labeller=dict(
        type="TopdownLabeller",
        config="td-hm_hrnet-w32_8xb64-210e_coco-256x192",
        checkpoint="data/pose/td-hm_hrnet-w32_8xb64-210e_coco-256x192.pth",
    ),
)
