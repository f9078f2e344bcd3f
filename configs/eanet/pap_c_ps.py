# PAP-C-PS: identities from the source, body parts from a second set that has drawn part labels
# (COCO persons for real photographs, domain "parts"). Needs keypoints of the source and the test
# sets; for real data also COCO persons with part labels, see docs/data.md.
# python tools/train.py configs/eanet/pap_c_ps.py
# python tools/train.py configs/eanet/pap_c_ps.py recipe=paper data=market1501_to_dukemtmcreid
# Another weight: model.losses.ps_parts.weight=0.5
_base_ = ["pap.py"]
model = dict(
    aux_heads=dict(ps=dict(type="eanet/PartSegHead")),
    losses=dict(
        ps_parts=dict(domain="parts", head="ps", weight=1.0, loss=dict(type="eanet/PartSegLoss")),
    ),
)
