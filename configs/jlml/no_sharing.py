# JLML with a stem for each branch: what sharing the first layer brings.
# python tools/train.py configs/jlml/no_sharing.py
# python tools/train.py configs/jlml/no_sharing.py recipe=paper data=market1501
# More is shared with jlml.py and model.backbone.share_depth=conv2_x
_base_ = ["jlml.py"]
model = dict(backbone=dict(share_depth="none"))
recipes = dict(finetune=None)  # one network that has weights: all is shared
