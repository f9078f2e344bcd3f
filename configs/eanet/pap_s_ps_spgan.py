# PAP-S-PS-SPGAN: PAP-S-PS on source images that were given the style of the target (domain
# "source_styled": made beforehand by SPGAN for Market-1501 and DukeMTMC-reID, see docs/data.md).
# Needs keypoints and part maps of the source (style transfer keeps them) and keypoints of the test
# sets.
# python tools/train.py configs/eanet/pap_s_ps_spgan.py
# python tools/train.py configs/eanet/pap_s_ps_spgan.py recipe=paper \
#     data=market1501_to_dukemtmcreid
# Another weight: model.losses.ps.weight=0.5
_base_ = ["pap_s_ps.py"]
model = dict(losses=dict(id=dict(domain="source_styled"), ps=dict(domain="source_styled")))
