# PAP-ST-PS-SPGAN-CFT: cluster the target's training images with a finished PAP-ST-PS-SPGAN run and
# train on with the clusters as identities. Needs that run; keypoints and part maps of the target,
# which are generated when missing. First:
# python tools/train.py configs/eanet/pap_st_ps_spgan.py --work-dir runs/spgan
# python tools/train.py configs/eanet/pap_st_ps_spgan_cft.py
# Another run to start from, and a wider radius:
#     data.domains.target_clusters.run=runs/other train.load_from=runs/other/checkpoints/last.pth \
#     data.domains.target_clusters.share=2e-3
_base_ = ["_base_pap.py"]
data = dict(domains=dict(target_clusters=dict(type="eanet/ClusteredDomain", run="runs/spgan")))
labels = dict(train=dict(target_clusters=["keypoints", "part_map"]))
model = dict(
    aux_heads=dict(ps=dict(type="eanet/PartSegHead")),
    losses=dict(
        id=dict(domain="target_clusters"),
        ps=dict(
            domain="target_clusters", head="ps", weight=1.0, loss=dict(type="eanet/PartSegLoss")
        ),
    ),
)
train = dict(load_from="runs/spgan/checkpoints/last.pth")
