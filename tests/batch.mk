# Batching: comparison with an independent reading, and speed against cat.
PARITY += tests/parity/batch.py
FUZZ += tests/fuzz/batch.sh
BENCHMARKS += bench-batch

.PHONY: bench-batch
bench-batch: $(BUILD)/bin/pretext-batch
	@tests/bench/batch.sh $(BUILD)/bin/pretext-batch
