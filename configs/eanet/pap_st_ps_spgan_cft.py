# PAP-ST-PS-SPGAN-CFT: cluster the target's training images with a finished PAP-ST-PS-SPGAN run and
# train on with the clusters as identities. Needs that run; keypoints and part maps of the target,
# which are generated when missing. First:
# python tools/train.py configs/eanet/pap_st_ps_spgan.py --work-dir runs/spgan
# python tools/train.py configs/eanet/pap_st_ps_spgan_cft.py
# Another run to start from, and a wider radius:
#     data.domains.target_clusters.run=runs/other train.load_from=runs/other/checkpoints/last.pth \
#     data.domains.target_clusters.share=2e-3
_base_ = ["pap_s_ps.py"]
data = dict(domains=dict(target_clusters=dict(type="eanet/ClusteredDomain", run="runs/spgan")))
model = dict(losses=dict(id=dict(domain="target_clusters"), ps=dict(domain="target_clusters")))
_all_but_classifiers = ["backbone", "aux_heads", "head.embedding.linear", "head.embedding.norm"]
train = dict(
    load_from="runs/spgan/checkpoints/last.pth",
    # embeddings and segmentation head are old now
    lr_mult={"*": 1.0, "*.classifier.*": 2.0},
    schedule=None,
)
# It is a fine-tuning itself, of a run with its own backbone
# New classifiers alone at first, which the paper does not mention; constant rates
recipes = dict(
    finetune=None,
    quick=dict(
        train=dict(
            optimizer=dict(lr=5e-4),
            stages=dict(
                classifiers=dict(epochs=2, freeze=_all_but_classifiers), all=dict(epochs=4)
            ),
        )
    ),
    paper=dict(
        train=dict(
            optimizer=dict(lr=0.001),
            eval_interval=0,
            stages=dict(
                classifiers=dict(epochs=6, freeze=_all_but_classifiers), all=dict(epochs=5)
            ),
        )
    ),
)
