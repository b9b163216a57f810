# Faces: comparisons and benchmarks.
PARITY += tests/parity/face.py
FUZZ += tests/fuzz/faces.sh
BENCHMARKS += bench-faces

.PHONY: bench-faces
bench-faces: $(BUILD)/bin/face-manipulate
	@pipelines/dependencies bench
	BLADES_BIN=$(BUILD)/bin tests/bench/faces.py
