"""Domains of a run: what is missing is named with what would work."""

import numpy as np
import pytest

from reidkit.config import prepare_config
from reidkit.config.load import with_keys
from reidkit.engine.domains import Domains
from reidkit.errors import UserError


def test_data_to_train_on_alone_names_how_to_train_without_a_test(tmp_path):
    import cv2

    for person in "12":
        (tmp_path / "own/train" / person).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "own/train" / person / "a.png"), np.zeros((8, 4, 3), np.uint8))
    cfg = prepare_config("eanet/global_pool", [f"settings.data_root={tmp_path}"])
    data = dict(
        name="own", tests=["source"], domains=dict(source=dict(type="ImageFolder", root="own"))
    )
    domains = Domains(with_keys(cfg, data=data))
    assert len(domains.split("source", "train")) == 2
    with pytest.raises(UserError, match=r"no split 'query'.*data.tests=\[\] trains without a test"):
        domains.split("source", "query")
    with pytest.raises(UserError, match="no domain 'target'; it has: source"):
        domains.split("target", "train")


@pytest.mark.slow
def test_labels_of_a_style_transferred_copy_are_those_of_its_originals(tmp_path):
    names = [f"settings.data_root={tmp_path}", "data=synthped_tiny"]
    domains = Domains(prepare_config("eanet/pap_s_ps_spgan", [*names, "settings.workers=0"]))
    styled, plain = (domains.split(name, "train") for name in ("source_styled", "source"))
    copied, own = (domains.labels(split, ["keypoints"]).keypoints for split in (styled, plain))
    np.testing.assert_array_equal(copied, own)
    stores = [meta.parent for meta in (tmp_path / "part_labels").rglob("meta.json")]
    assert stores == [tmp_path / "part_labels" / plain.label_key]
    part = domains.labels(styled.select([3, 1]), ["keypoints"])
    np.testing.assert_array_equal(part.keypoints, own[[3, 1]])
