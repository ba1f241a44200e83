"""Networks of other people as ONNX files: read with limits, described, run, and exported."""
