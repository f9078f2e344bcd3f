import pytest

from reidkit.data import CUHK03NP


@pytest.mark.parametrize(("part", "suffix"), [("labeled", "png"), ("detected", "jpg")])
def test_cuhk03_reads_the_boxes_asked_for(tmp_path, write_images, part, suffix):
    for kind, number in (("labeled", 1), ("detected", 2)):
        root = tmp_path / "cuhk03-np" / kind
        write_images(root / "bounding_box_train", [f"000{number}_c1_1.{suffix}"])
        write_images(root / "query", [f"000{number + 2}_c1_4.{suffix}"])
        write_images(root / "bounding_box_test", [f"000{number + 2}_c2_9.{suffix}"])
    reader = CUHK03NP(str(tmp_path), part=part)
    train = reader.splits()["train"]
    number = 1 if part == "labeled" else 2
    assert train.paths == (f"{part}/bounding_box_train/000{number}_c1_1.{suffix}",)
    assert train.label_key == f"cuhk03np_{part}/train"
    assert reader.counts["train"][0] == {"labeled": 7368, "detected": 7365}[part]
    with pytest.raises(ValueError, match="part must be 'labeled' or 'detected', got 'both'"):
        CUHK03NP(str(tmp_path), part="both")
