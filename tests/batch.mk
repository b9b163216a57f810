# Batching: comparison with an independent reading, and speed against cat.
PARITY += tests/parity/batch.py
FUZZ += tests/fuzz/batch.sh

.PHONY: bench-batch
bench-batch: $(BUILD)/bin/pretext-batch
	@tests/bench-batch $(BUILD)/bin/pretext-batch
