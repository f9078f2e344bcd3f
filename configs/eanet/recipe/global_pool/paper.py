# EANet's GlobalPool as published: the common recipe on smaller images, with a wider embedding.
_base_ = ["../paper.py"]
input = dict(size=(256, 128))
model = dict(head=dict(dim=512))
