# QAConv with random classes in each batch (P classes of K images) and as many steps as QAConv-GS:
# what graph sampling is measured against. Needs no part labels.
# python tools/train.py configs/qaconv/qaconv_gs_pk.py
# python tools/train.py configs/qaconv/qaconv_gs_pk.py recipe=paper data=market1501_to_msmt17
# Four images of each class: train.sampler.k=4
_base_ = ["qaconv_gs.py"]
train = dict(sampler=dict(distance="random"))
