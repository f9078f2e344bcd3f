"""rtmlib on onnxruntime: one crop in one call, one thread."""

from collections.abc import Callable
from functools import partial
from typing import Any


def keypoints(given: Any) -> Callable:
    """Files to joints of RTMPose."""
    import cv2
    import onnxruntime
    from rtmlib import RTMPose

    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # rtmlib takes all cores
    usual = onnxruntime.InferenceSession
    onnxruntime.InferenceSession = partial(usual, sess_options=options)
    model = RTMPose(str(given.folder / "pose.onnx"), (192, 256), backend="onnxruntime")
    onnxruntime.InferenceSession = usual

    def work() -> list:
        return [model(cv2.imread(file))[0][0].tolist() for file in given.files[:64]][:4]

    return work
