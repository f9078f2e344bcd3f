# QAConv-GS (version 2.1): batches of a class and its nearest classes, batch-hard triplets on the
# matcher's scores. Needs no part labels.
# python tools/train.py configs/qaconv/qaconv_gs.py
# python tools/train.py configs/qaconv/qaconv_gs.py recipe=paper data=market1501_to_msmt17
# All pairs as in version 2.0: model.losses.match.loss=qaconv/PairwiseMatchingLoss
_base_ = ["_base_qaconv.py"]
train = dict(sampler=dict(type="qaconv/GraphSampler", k=2))
