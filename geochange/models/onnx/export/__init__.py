"""Writes ChangeCLIP as one ONNX file, with its prompts inside."""
