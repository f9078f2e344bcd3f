# What every experiment starts from. A config, a recipe or the command line may change each key.
groups = dict(data="synthped", recipe="quick")
plugins = []
# finds keypoints where a method asks for them, with the model that fits the data; pose=... says
# another
data = dict(labeller=dict(type="TopdownLabeller"))
# height, width in pixels; resize: cv2 | pil. frames: for tracklets, the frame samplers of train and
# test, and augment: one decision of the batch transforms per tracklet | frame
input = dict(size=(256, 128), resize="cv2", frames=dict())
# runs this one builds on, by role: dict(config=..., run=folder or None, overrides=[])
prerequisites = dict()
train = dict(
    epochs=60,
    batch_size=32,
    sampler=dict(type="ShuffleSampler"),
    accumulate=1,  # batches per optimiser step
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4),
    optimizers=dict(),  # by part, for models that train parts on their own; then optimizer=None
    # factor of the learning rate by a pattern of parameter names ("backbone.*"); of several that
    # match, the longest counts
    lr_mult=dict(),
    decay_mult=dict(),  # the same for weight decay: {"*.bias": 0.0}
    loss_mult=dict(),  # the same for losses, by a pattern of their roles; 0: not computed
    layer_decay=None,  # factor of the rate from a layer of the backbone to the one before: 0.75
    schedule=None,  # dict(type="step" or "one_cycle", ...), or a list of mmengine's schedulers
    clip_grad=None,  # largest gradient norm
    eval_interval=0,  # epochs between tests during training, 0 for never
    checkpoint_interval=1,  # epochs
    load_from=None,  # another run's checkpoint to start from
    freeze=[],  # names of modules that are not trained, or patterns of names
    freeze_layers=0,  # first layers of the backbone that are not trained
    # changes to these keys by stage, in order; each stage starts from the weights of the one before
    stages=dict(),
)
evaluation = dict(
    type="RankingEvaluator",
    protocol=None,  # None: the one that the data set states for itself
    topk=(1, 5, 10),
    rerank=dict(),  # steps between distances and ranking: +evaluation.rerank.rr=KReciprocal
)
hooks = dict()  # by role, in order: name=dict(type=..., ...)
visualizers = [dict(type="TensorboardVisBackend")]  # mmengine's; also WandbVisBackend and others
