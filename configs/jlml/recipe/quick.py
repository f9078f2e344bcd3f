# JLML in minutes on two CPU cores: narrow streams of few blocks, small images, random weights.
input = dict(size=(192, 64), resize="cv2")
train = dict(
    epochs=16,
    batch_size=24,
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
)
