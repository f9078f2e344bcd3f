"""Models as files for other programs: ONNX, torch.export, OpenVINO; measured as written."""
