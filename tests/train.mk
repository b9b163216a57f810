# Training: parity with PyTorch, and the bench of one bi-level step.
PARITY += tests/parity/step.py
BENCHMARKS += bench-train

.PHONY: bench-train
bench-train: dependencies-bench all
	PATH=$(CURDIR)/$(BUILD)/bin:$$PATH /usr/bin/python3 tests/bench/train.py

# Batch streams for tests/train.bats.
check: $(BUILD)/unit/make_batches
