# Faces: comparisons and benchmarks.
PARITY += tests/parity/face.py
