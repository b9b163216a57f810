# Faces: comparisons and benchmarks.
PARITY += tests/parity/face.py
FUZZ += tests/fuzz/faces.sh
BENCHMARKS += bench-faces

.PHONY: bench-faces
bench-faces: dependencies-bench $(BUILD)/bin/face-manipulate
	BLADES_BIN=$(BUILD)/bin tests/bench/faces.py
