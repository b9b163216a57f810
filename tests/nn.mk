# The compute core: its benchmark and its comparison with PyTorch.
BENCHMARKS += bench-encoder
PARITY += tests/parity/encoder_image.py

parity: $(BUILD)/parity/encoder_probe
$(BUILD)/parity/encoder_probe: $(BUILD)/tests/parity/encoder_probe.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/bench/encoder_bench: $(patsubst %,$(BUILD)/tests/bench/%.o,encoder_bench peak_generic peak_avx2 peak_avx512) \
		$(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Speed and memory beside PyTorch and onnxruntime; takes about five minutes.
.PHONY: bench-encoder
bench-encoder: dependencies-bench $(BUILD)/bench/encoder_bench
	tests/bench/encoder.sh $(BUILD)/bench
