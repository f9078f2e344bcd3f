"""CUHK03 in the new protocol: 767 identities for training, 700 for testing, two kinds of boxes."""

from __future__ import annotations

from reidkit.data.datasets.market1501 import Market1501
from reidkit.registry import DATASETS

COUNTS: dict[str, dict[str, tuple[int, int | None]]] = {
    "labeled": {"train": (7368, 767), "query": (1400, 700), "gallery": (5328, 700)},
    "detected": {"train": (7365, 767), "query": (1400, 700), "gallery": (5332, 700)},
}


@DATASETS.register_module()
class CUHK03NP(Market1501):
    """CUHK03-NP: ``{labeled,detected}/{bounding_box_train,query,bounding_box_test}``, PNG or JPEG.

    EANet's paper used a JPEG re-encoding of the detected boxes ("cuhk03-np-jpg"); name its folder
    as ``root`` to use one.

    Args:
        data_root, check_counts: see ``Market1501``.
        root: the data set's own folder in ``data_root``.
        part: "labeled" (boxes drawn by hand) or "detected" (by DPM; EANet's).
        train_dir: see ``Market1501``; relative to ``root`` ("detected/..._style").

    Raises:
        UserError: see ``Market1501``.
        ValueError: unknown ``part``.

    Source:
        Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding (CVPR 2017).
    """

    title = "CUHK03-NP"
    protocol = "cuhk03-np"
    nestings = ("cuhk03-np", "cuhk03-np-jpg", "CUHK03-NP")
    junk_gallery = 0
    how = "unpack cuhk03-np.zip there"
    example = "0001_c1_1.png"

    def __init__(
        self,
        data_root: str,
        root: str = "cuhk03np",
        part: str = "detected",
        train_dir: str | None = None,
        check_counts: str = "auto",
    ):
        if part not in COUNTS:
            raise ValueError(f"part must be 'labeled' or 'detected', got {part!r}")
        self.name = f"cuhk03np_{part}"
        self.title = f"CUHK03-NP ({part})"
        self.counts = COUNTS[part]
        self.train = f"{part}/bounding_box_train"
        self.query = f"{part}/query"
        self.gallery = f"{part}/bounding_box_test"
        self.needed = (f"{self.train}/", f"{self.query}/", f"{self.gallery}/")
        super().__init__(data_root, root, train_dir, False, check_counts)
