# PAP-StC-PS: body parts from the source and from a second set with drawn part labels, as it is and
# in the style of the source (domains "parts" and "parts_styled"). Needs keypoints and part maps of
# the source, keypoints of the test sets; for real data also COCO persons in both forms, see
# docs/data.md.
# python tools/train.py configs/eanet/pap_stc_ps.py
# python tools/train.py configs/eanet/pap_stc_ps.py recipe=paper data=market1501_to_dukemtmcreid
# Without the source's own part maps: ~model.losses.ps
_base_ = ["pap_s_ps.py"]
model = dict(
    losses=dict(
        # halves of one set with weight 1: the paper mixes both in one batch
        ps_parts=dict(domain="parts", head="ps", weight=0.5, loss=dict(type="eanet/PartSegLoss")),
        ps_parts_styled=dict(
            domain="parts_styled", head="ps", weight=0.5, loss=dict(type="eanet/PartSegLoss")
        ),
    ),
)
