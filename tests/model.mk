# Models and the text transformer: comparisons with PyTorch, fuzzing, benchmark.
PARITY += tests/parity/encoder_text.py tests/parity/convert.py

parity: $(BUILD)/parity/text_probe
$(BUILD)/parity/text_probe: $(BUILD)/tests/parity/text_probe.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/bench/prompts_bench: $(BUILD)/tests/bench/prompts_bench.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-text
bench-encoder: $(BUILD)/bench/prompts_bench
bench-text: dependencies-bench $(BUILD)/bench/prompts_bench
	tests/bench/prompts.sh $(BUILD)/bench

FUZZ += tests/fuzz/weights.sh
