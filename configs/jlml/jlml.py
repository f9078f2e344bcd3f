# JLML: a global branch and four local streams on shared first layers, each branch with its own
# identity loss, sparse feature layers. Needs no part labels.
# python tools/train.py configs/jlml/jlml.py
# python tools/train.py configs/jlml/jlml.py recipe=paper data=market1501
# The other distances: model.matcher=jlml/L1Matcher, model.matcher=CosineMatcher
# Local maps as in reading B: "model.backbone.local_pool_stride=(2, 2)"; C: also
#     model.backbone.stem_kernel=7 model.backbone.stem_width=64
# Exact zeros by proximal steps in place of subgradients: ~model.losses.sparse_global
#     ~model.losses.sparse_local +hooks.1=jlml/ProximalStep
# On a ResNet-50 (our extension): model.backbone=jlml/JLMLResNet50
_base_ = ["_base_multi.py", "_base_sparse_global.py", "_base_sparse_local.py"]
