import subprocess
import sys

import pytest

from reidkit.errors import UserError
from reidkit.pose.compat import load_mmpose, placeholder


@pytest.mark.slow
def test_importing_pose_does_not_import_mmpose():
    code = (
        "import sys, reidkit.pose, reidkit.cli.generate_part_labels; "
        "reidkit.pose.TopdownLabeller('synthped', 'random').provenance; "
        "print([m for m in sys.modules if m.split('.')[0] in ('mmpose', 'xtcocotools')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_of_mmpose_is_importable_and_training_parts_are_registered():
    load_mmpose()
    from mmpose.registry import DATASETS, METRICS, MODELS, TRANSFORMS

    assert "TopdownPoseEstimator" in MODELS.module_dict
    assert "CocoDataset" in DATASETS.module_dict
    assert {"TopdownAffine", "GenerateTarget"} <= set(TRANSFORMS.module_dict)
    assert {"PCKAccuracy", "CocoMetric"} <= set(METRICS.module_dict)


def test_a_placeholder_refuses_when_it_is_used():
    with pytest.raises(UserError) as caught:
        placeholder("Deformable", "the full mmcv")(3, size=4)
    assert str(caught.value) == (
        "this model needs 'Deformable' from the full mmcv, which is not installed"
    )
