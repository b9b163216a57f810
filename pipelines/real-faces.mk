# The experiment of examples/real-faces.md: make -f pipelines/real-faces.mk FACES=FOLDER [VARIABLE=VALUE...]
#
#   FACES        a folder with train/ and bench/, each with a folder for every source and an annotations.jsonl. Every
#                tenth photograph of train/ is held out: for validation, calibration and the choice of settings
#   SMALL        sources of train/ that encoders are trained on, but mixtures are not fitted to: other sizes than bench/
#                has (celeba)
#   MATCHED      sources of train/ of the same kind as photographs of bench/: a second mixture is fitted to them alone
#   PAIRS        generators, each with the photographs of bench/ to compare it with
#   EXPERIMENTS  blades (all tasks, learnt weights), equal (equal weights), no-exif (manipulation tasks alone, learnt
#                weights), zou25 (four rankings and the coarse task, equal weights), random (the encoder before any
#                training)
#   OUT SEED SIZE SHIFT BATCH ARCH WIDTH DIMENSION PRECISION
#   PRETRAIN_EPOCHS PRETRAIN_OPTIONS  the first stage, common to all: manipulations alone, equal weights
#   EPOCHS TRAIN_OPTIONS              the second: each experiment's tasks
#   GMM_OPTIONS MATCHED_OPTIONS MLP_OPTIONS
#
# OUT/EXPERIMENT/ holds each experiment with its report; OUT/oc.txt, OUT/matched.txt and OUT/bc.txt compare them, and
# OUT/coarse.txt has the coarse task's loss, accuracy and AUC on the photographs held out.
ifndef LIBRARY
.DEFAULT_GOAL := real-faces
include Makefile
else

.PHONY: real-faces
ifdef FACES
SMALL ?= celeba
MATCHED ?= celebrities stock
PAIRS ?= progan=celebrities stylegan2=stock
PRETRAIN_EPOCHS ?= 60
GMM_OPTIONS ?= -k 1:6
faces.out := $(or $(OUT),$(BUILD)/real-faces)
faces.data := $(patsubst %/,%,$(FACES))
faces.experiments := $(or $(EXPERIMENTS),blades equal no-exif zou25 random)
faces.trained := $(filter-out random,$(faces.experiments))
faces.size := $(or $(SIZE),80)
faces.shift := $(or $(SHIFT),8)
faces.epochs := $(or $(EPOCHS),10)
faces.stream = $(addprefix $(faces.out)/,$(addsuffix .photos,$(1)))
ifeq ($(wildcard $(faces.data)/train/annotations.jsonl),)
$(error $(faces.data)/train/annotations.jsonl: no such file)
endif

# ---- Photo streams: fit and held of all sources, of the large ones (without SMALL), of the matched ones -------------
empty :=
alternatives = ($(subst $(empty) $(empty),|,$(strip $(1))))
faces.chosen-all := 1
faces.chosen-large := !/\/$(call alternatives,$(SMALL))\//
faces.chosen-matched := /\/$(call alternatives,$(MATCHED))\//
faces.fit := NR % 10 != 0
faces.held := NR % 10 == 0
faces.split.fit := train
faces.split.held := val
image_files = find -L '$(1)' -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) | LC_ALL=C sort

define faces_photos
$(call faces.stream,$(1)-$(2)): $(faces.data)/train/annotations.jsonl $(call bin,exif-extract face-locate) | $(faces.out)
	@echo '== real-faces: $(1)-$(2)' >&2
	$(call image_files,$(faces.data)/train) | awk '$$(faces.$(2)) && $$(faces.chosen-$(1))' | \
	  $$(BUILD)/bin/exif-extract --set split=$(faces.split.$(2)) --files-from - | \
	  $$(BUILD)/bin/face-locate -q --annotations $$< -o $$@
endef
$(foreach kind,all large matched,$(foreach side,fit held,$(eval $(call faces_photos,$(kind),$(side)))))
$(call faces.stream,bench): $(faces.data)/bench/annotations.jsonl $(call bin,exif-extract face-locate) | $(faces.out)
	@echo '== real-faces: bench' >&2
	$(call image_files,$(faces.data)/bench) | $(BUILD)/bin/exif-extract --files-from - | \
	  $(BUILD)/bin/face-locate -q --annotations $< -o $@

$(faces.out)/faces.msgpack $(faces.out)/faces.png &: $(call faces.stream,all-fit all-held) $(call bin,face-manipulate)
	$(BUILD)/bin/face-manipulate --size $(shell echo $$(($(faces.size) + $(faces.shift)))) --sheet $(faces.out)/faces.png \
	  -o $(faces.out)/faces.msgpack $(filter %.photos,$^)

# ---- Training --------------------------------------------------------------------------------------------------------
faces.network := --arch $(or $(ARCH),resnet18) --width $(or $(WIDTH),0.5) --embedding-dim $(or $(DIMENSION),128) \
  --text-layers 2 --text-width 64 --precision $(or $(PRECISION),float32) --seed $(or $(SEED),0)
faces.batches = --size $(faces.size) --shift $(faces.shift) --flip --batch $(or $(BATCH),64) --seed $(or $(SEED),0) --epochs
PRETRAIN_OPTIONS ?= --lr 1.5e-3 --lr-text 1e-4 --weight-decay 0.01 --warmup 200 --schedule-epochs $(PRETRAIN_EPOCHS)
TRAIN_OPTIONS ?= --lr 3e-4 --lr-text 1e-4 --weight-decay 0.01 --warmup 50 --schedule-epochs $(faces.epochs) \
  --lambda-lr 3e-3 --lambda-lag --memory huge
# With all tasks' prompts, so that the vocabulary serves the second stage, but weight for the manipulations alone.
$(faces.out)/pretrained.safetensors: $(faces.out)/faces.msgpack $(call bin,pretext-batch blades-train)
	@echo '== real-faces: pretraining' >&2
	$(BUILD)/bin/pretext-batch -q --tasks examples/tasks/reference.json $(faces.batches) $(PRETRAIN_EPOCHS) $< | \
	  $(BUILD)/bin/blades-train $(faces.network) --weights examples/manipulation-weights.json --validate-every 10 \
	    $(PRETRAIN_OPTIONS) --log $(faces.out)/pretraining.log -o $@

tasks.no-exif := examples/tasks/manipulation.json
tasks.zou25 := examples/tasks/zou25.json
train.equal := --weights equal
train.zou25 := --weights equal
define faces_experiment
real-$(1).out := $(faces.out)/$(1)
real-$(1).title := BLADES on real faces: $(1)
real-$(1).note := Experiment &ldquo;$(1)&rdquo; of <code>examples/real-faces.md</code>. A score is evidence, not proof.
real-$(1).train := $(call faces.stream,all-fit all-held)
real-$(1).faces := $(faces.out)/faces.msgpack
real-$(1).sheet := $(faces.out)/faces.png
real-$(1).fit := $(call faces.stream,large-fit)
real-$(1).perceptron := yes
real-$(1).test := $(call faces.stream,bench)
real-$(1).tasks := $(or $(tasks.$(1)),examples/tasks/reference.json)
real-$(1).untrained := $(filter random,$(1))
real-$(1).batch-options := $(faces.batches) $(faces.epochs)
real-$(1).train-options := $(faces.network) $(if $(filter random,$(1)),--steps 0,\
  --init $(faces.out)/pretrained.safetensors $(train.$(1)) $(TRAIN_OPTIONS))
real-$(1).gmm-options := --calibrate $(faces.out)/$(1)/held.embeddings $(GMM_OPTIONS)
real-$(1).mlp-options := $(MLP_OPTIONS)
real-$(1).evaluate-options := $(addprefix --pair ,$(PAIRS))
real-$(1).tsne-options :=
$$(eval $$(call experiment,real-$(1)))
$(if $(filter random,$(1)),,$(faces.out)/$(1)/model.safetensors: $(faces.out)/pretrained.safetensors)
$(faces.out)/$(1)/held.embeddings: $(call faces.stream,large-held)
$(faces.out)/$(1)/gmm.safetensors: $(faces.out)/$(1)/held.embeddings
$(faces.out)/$(1)/matched-fit.embeddings: $(call faces.stream,matched-fit)
$(faces.out)/$(1)/matched-held.embeddings: $(call faces.stream,matched-held)
$(faces.out)/$(1)/matched.safetensors: $(faces.out)/$(1)/matched-fit.embeddings $(faces.out)/$(1)/matched-held.embeddings \
  $(call bin,gmm-fit)
	$$(BUILD)/bin/gmm-fit --calibrate $(faces.out)/$(1)/matched-held.embeddings $(or $(MATCHED_OPTIONS),$(GMM_OPTIONS)) -o $$@ $$<
endef
$(foreach e,$(faces.experiments),$(eval $(call faces_experiment,$(e))))

# ---- Tables ----------------------------------------------------------------------------------------------------------
faces.scores.oc := gmm
faces.scores.matched := matched
faces.scores.bc := mlp
define faces_table
$(faces.out)/$(1).txt: $(faces.experiments:%=$(faces.out)/%/$(faces.scores.$(1)).scores) $(call bin,evaluate)
	$$(BUILD)/bin/evaluate $(addprefix --pair ,$(PAIRS)) $(if $(filter random,$(faces.experiments)),--compare random) \
	  $(foreach e,$(faces.experiments),--method $(e)=$(faces.out)/$(e)/$(faces.scores.$(1)).scores) -o $$@
endef
$(foreach t,oc matched bc,$(eval $(call faces_table,$(t))))
$(faces.out)/coarse.txt: $(faces.trained:%=$(faces.out)/%/training.jsonl) pipelines/held-out-coarse
	pipelines/held-out-coarse $(foreach e,$(faces.trained),$(e)=$(faces.out)/$(e)/training.jsonl) >$@

real-faces: $(addprefix $(faces.out)/,oc.txt matched.txt bc.txt coarse.txt) $(faces.experiments:%=$(faces.out)/%/report.html)
	@cat $(faces.out)/coarse.txt $(faces.out)/oc.txt $(faces.out)/matched.txt $(faces.out)/bc.txt
$(faces.out):
	mkdir -p $@
else
real-faces:
	@echo 'Name the folder of faces: make -f pipelines/real-faces.mk FACES=FOLDER' >&2; exit 64
endif
endif
