import pytest

from reidkit.data import DukeMTMCreID, OccludedDuke


def ids(split):
    return split.identities.tolist()


def cams(split):
    return split.cameras.tolist()


@pytest.mark.parametrize(
    ("reader", "folder"),
    [(DukeMTMCreID, "DukeMTMC-reID"), (OccludedDuke, "Occluded-DukeMTMC-reID")],
)
def test_duke_names(tmp_path, write_images, reader, folder):
    root = tmp_path / folder
    write_images(root / "bounding_box_train", ["0001_c2_f0046182.jpg", "0007_c8_f0000001.jpg"])
    write_images(root / "query", ["0005_c2_f0046985.jpg"])
    write_images(root / "bounding_box_test", ["0002_c1_f0044158.jpg", "0005_c5_f0051341.jpg"])
    splits = reader(str(tmp_path)).splits()
    assert (ids(splits["train"]), cams(splits["train"])) == ([1, 7], [2, 8])
    assert splits["query"].label_key == f"{reader.name}/query"
