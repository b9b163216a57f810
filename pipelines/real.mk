# The chain on a folder of real photographs: make -f pipelines/real.mk DATA=FOLDER [VARIABLE=VALUE...]
#
#   DATA         photographs, in subfolders or not. Where it has subfolders train/ and bench/, the first is trained on
#                and the second evaluated on.
#   ANNOTATIONS  annotation files or folders, in any format that face-locate reads; by default the files of DATA (or
#                DATA/train) that are called annotations.jsonl, fdf_metainfo.json, list_*.txt, or *.xml
#   BENCH, BENCH_ANNOTATIONS  the same for evaluation; faces need a label and a source there
#   METADATA     metadata as JSON, where the photographs have no EXIF of their own
#   OUT          where everything goes (build/real)
#   SIZE ARCH WIDTH DIMENSION BATCH STEPS EPOCHS LR TASKS INIT COMPONENTS BALANCE SEED
#                how to train; see the defaults below
#   FACE_OPTIONS BATCH_OPTIONS TRAIN_OPTIONS GMM_OPTIONS MLP_OPTIONS EVALUATE_OPTIONS  more options for the stages
#
# Generated faces among the photographs (label "generated") train the perceptron and nothing else.
ifndef LIBRARY
# Run by itself: the Makefile includes this file again.
.DEFAULT_GOAL := real
ifneq ($(realpath $(lastword $(MAKEFILE_LIST))),$(realpath pipelines/real.mk))
$(error run this in the top folder of BLADES: make -C $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..) -f pipelines/real.mk; folders are \
  named as from there)
endif
include Makefile
else

.PHONY: real
ifdef DATA
$(call without_blanks,DATA BENCH OUT)
OUT ?= $(BUILD)/real
SIZE ?= 96
ARCH ?= resnet18
WIDTH ?= 0.5
DIMENSION ?= 128
BATCH ?= 32
EPOCHS ?= 20
STEPS ?=
LR ?= 5e-4
TASKS ?= examples/tasks/reference.json
COMPONENTS ?= 4
SEED ?= 0

real.data := $(patsubst %/,%,$(DATA))
real.split := $(wildcard $(real.data)/train)
real.from := $(or $(real.split),$(real.data))
BENCH ?= $(if $(real.split),$(wildcard $(real.data)/bench))
annotation_files = $(wildcard $(addprefix $(1)/,annotations.jsonl fdf_metainfo.json list_*.txt *.xml))
ANNOTATIONS ?= $(call annotation_files,$(real.from))
BENCH_ANNOTATIONS ?= $(if $(BENCH),$(call annotation_files,$(BENCH)))
ifeq ($(wildcard $(real.from)),)
$(error $(real.from): no such folder)
endif

real.out := $(OUT)
real.title := BLADES on $(notdir $(real.data))
real.note := Trained on photographs of <code>$(real.from)</code>$(if $(BENCH),$(comma) evaluated on <code>$(BENCH)</code>). \
  A score is evidence, not proof.
real.train := $(OUT)/train.photos
real.perceptron := $(if $(ANNOTATIONS),$(shell grep -rlsE '"label": *"generated"' $(ANNOTATIONS)))
real.test := $(if $(BENCH),$(OUT)/test.photos)
real.tasks := $(TASKS)
real.face-options := --size $(SIZE) $(FACE_OPTIONS)
real.init := $(INIT)
real.batch-options := --size $(SIZE) --batch $(BATCH) --epochs $(EPOCHS) --seed $(SEED) $(if $(BALANCE),--balance $(BALANCE)) \
  $(BATCH_OPTIONS)
real.train-options := --arch $(ARCH) --width $(WIDTH) --embedding-dim $(DIMENSION) --text-layers 2 --text-width 64 \
  --lr $(LR) --seed $(SEED) $(if $(STEPS),--steps $(STEPS)) $(TRAIN_OPTIONS)
real.gmm-options := -k $(COMPONENTS) $(GMM_OPTIONS)
real.mlp-options := $(MLP_OPTIONS)
real.evaluate-options := $(EVALUATE_OPTIONS)

real: $(OUT)/report.html

real.images = find -L '$(1)' -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) -print0 | LC_ALL=C sort -z
real.photos = $(real.images) | $(BUILD)/bin/exif-extract $(if $(METADATA),--metadata '$(METADATA)') -0 --files-from - | \
  $(BUILD)/bin/face-locate $(if $(2),$(addprefix --annotations ,$(2)),--whole) -o $@
$(OUT)/train.photos: $(ANNOTATIONS) $(METADATA) $(call bin,exif-extract face-locate) | $(OUT)
	@echo '== real: tags and faces' >&2
	$(call real.photos,$(real.from),$(ANNOTATIONS))
$(OUT)/test.photos: $(BENCH_ANNOTATIONS) $(METADATA) $(call bin,exif-extract face-locate) | $(OUT)
	$(call real.photos,$(BENCH),$(BENCH_ANNOTATIONS))

$(eval $(call experiment,real))
else
real:
	@echo 'Name the folder of photographs: make -f pipelines/real.mk DATA=FOLDER' >&2; exit 64
endif
endif
