"""VeRi-776 and VehicleID."""

import numpy as np
import pytest

from reidkit.data import VehicleID, VeRi776
from reidkit.errors import UserError
from reidkit.evaluation import EuclideanMatcher, RankingEvaluator

VERI = {
    "train": ["0001_c001_00016450_0.jpg", "0003_c018_00016455_0.jpg"],
    "query": ["0002_c002_00030600_0.jpg"],
    "test": ["0002_c002_00030600_0.jpg", "0002_c003_00030640_0.jpg", "0005_c001_1_0.jpg"],
}


def test_veri776(tmp_path, write_images):
    for part, names in VERI.items():
        write_images(tmp_path / f"veri776/VeRi/image_{part}", names)
    reader = VeRi776(str(tmp_path))
    splits = reader.splits()
    assert splits["train"].identities.tolist() == [1, 3]
    assert splits["train"].cameras.tolist() == [1, 18]
    assert splits["gallery"].paths[1] == "image_test/0002_c003_00030640_0.jpg"
    for part, names in VERI.items():
        (tmp_path / f"veri776/VeRi/name_{part}.txt").write_text("\r\n".join(names[:2]) + "\r\n")
    listed = VeRi776(str(tmp_path))
    assert len(listed.splits()["gallery"]) == 2
    assert listed.notes == ["left out: 1 files of image_test/ not listed"]
    (tmp_path / "veri776/VeRi/name_query.txt").write_text("0009_c001_1_0.jpg\n")
    with pytest.raises(UserError, match="name_query.txt lists 0009_c001_1_0.jpg, which is not in"):
        VeRi776(str(tmp_path)).prepare()


@pytest.fixture
def vehicleid(tmp_path, write_images):
    root = tmp_path / "vehicleid"
    write_images(root / "image", [f"{i:07d}.jpg" for i in range(20)])
    (root / "train_test_split").mkdir()
    lists = {"train_list": range(8), "test_list_800": range(8, 20)}
    for name, numbers in lists.items():
        lines = [f"{i:07d} {i // 3}" for i in numbers]
        (root / f"train_test_split/{name}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_vehicleid_draws_ten_galleries_of_one_image_each(vehicleid, random_sides):
    reader = VehicleID(str(vehicleid))
    splits, trials = reader.splits(), reader.trials()
    assert splits["train"].identities.tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
    query, gallery = splits["query"], splits["gallery"]
    assert len(query) == 12 and len(trials) == 10
    for trial in trials:
        assert len(trial.query) + len(trial.gallery) == 12
        assert not set(trial.query) & set(trial.gallery)
        chosen = gallery.identities[trial.gallery].tolist()
        assert sorted(chosen) == sorted(set(gallery.identities.tolist()))
    assert len({tuple(trial.gallery) for trial in trials}) > 5
    again = VehicleID(str(vehicleid)).trials()
    assert all(np.array_equal(a.gallery, b.gallery) for a, b in zip(trials, again, strict=True))
    result = RankingEvaluator().evaluate(
        *random_sides(query, gallery), EuclideanMatcher(), protocol=reader.protocol, trials=trials
    )
    assert 0 < result.metrics["R1"] <= 1
    with pytest.raises(ValueError, match="vehicles must be one of"):
        VehicleID(str(vehicleid), vehicles=5)
    with pytest.raises(UserError, match="test_list_1600.txt"):
        VehicleID(str(vehicleid), vehicles=1600).prepare()


@pytest.mark.parametrize(
    "line, reason",
    [
        ("0000001 one", ":9: expected 'image vehicle'"),
        ("0000001", ":9: expected 'image vehicle'"),
        ("0000099 7", ":9 lists 0000099.jpg, which is not in image/"),
        ("0000001 7", ":9 lists 0000001.jpg for the second time"),
    ],
)
def test_vehicleid_refuses_broken_lists(vehicleid, line, reason):
    with open(vehicleid / "vehicleid/train_test_split/train_list.txt", "a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=reason):
        VehicleID(str(vehicleid)).prepare()
