# The mean cell of the same map compared by cosine, everything else as in QAConv-GS: what local
# matching is measured against. With maps of one cell QAConv is the cosine times a learned scale.
# Needs no part labels.
# python tools/train.py configs/qaconv/pooled_cosine.py
# python tools/train.py configs/qaconv/pooled_cosine.py recipe=paper data=market1501_to_msmt17
# Another margin: model.losses.match.loss.margin=8.0
_base_ = ["qaconv_gs.py"]
model = dict(head=dict(pool="avg"), matcher=dict(map_size=(1, 1)))
