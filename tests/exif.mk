# exif-extract: agreement with exiftool, speed, fuzzing.
PARITY += tests/parity/exif.sh tests/parity/exif-made.sh
FUZZ += tests/fuzz/exif.sh
BENCHMARKS += bench-exif

$(BUILD)/bench/open_read: tests/bench/open_read.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $<
.PHONY: bench-exif
bench-exif: dependencies-bench $(BUILD)/bin/exif-extract $(BUILD)/bench/open_read
	BLADES_BIN=$(CURDIR)/$(BUILD)/bin tests/bench/exif.sh $(BUILD)/bench/open_read
