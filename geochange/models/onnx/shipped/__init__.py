"""The shipped network by onnxruntime, on CPUs: graphs in the package, weights in the checkpoint."""
