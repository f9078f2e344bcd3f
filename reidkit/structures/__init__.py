"""What travels between the layers: feature specs, batches, embeddings, head outputs."""

from reidkit.structures.batch import BATCH_TENSORS, Field, ReIDBatch
from reidkit.structures.embedding import Correspondences, Embedding, HeadOutput, ImageMeta
from reidkit.structures.features import FeatureSpec, FeatureSpecs, pick_feature

__all__ = [
    "BATCH_TENSORS",
    "Correspondences",
    "Embedding",
    "FeatureSpec",
    "FeatureSpecs",
    "Field",
    "HeadOutput",
    "ImageMeta",
    "ReIDBatch",
    "pick_feature",
]
