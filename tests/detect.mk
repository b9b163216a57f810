# Detection: comparison with scikit-learn, and speed and memory beside it.
BENCHMARKS += bench-detect
PARITY += tests/parity/detect.py

.PHONY: bench-detect
bench-detect: dependencies-bench $(BUILD)/bin/gmm-fit $(BUILD)/bin/tsne
	BLADES_BIN=$(BUILD)/bin tests/bench/detect.py
