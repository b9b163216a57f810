# Models and the text transformer: comparisons with PyTorch, fuzzing, benchmark.
PARITY += tests/parity/encoder_text.py tests/parity/convert.py

parity: $(BUILD)/parity/text_probe
$(BUILD)/parity/text_probe: $(BUILD)/tests/parity/text_probe.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
