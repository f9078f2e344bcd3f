# Late concat: two networks that share nothing, trained one after the other, their features side by
# side. The fair control of joint learning. Takes twice the time of jlml.py.
# python tools/train.py configs/jlml/late_concat.py
# python tools/train.py configs/jlml/late_concat.py recipe=paper data=market1501
_base_ = ["jlml.py"]
model = dict(backbone=dict(share_depth="none"))
train = dict(
    stages={
        "global": dict(freeze=["backbone.branches.local", "head.branches.local"]),
        "local": dict(freeze=["backbone.branches.global", "head.branches.global"]),
    },
)
recipes = dict(finetune=None)  # one network that has weights: all is shared
