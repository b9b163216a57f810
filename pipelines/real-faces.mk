# The experiment of examples/real-faces.md: make -f pipelines/real-faces.mk FACES=FOLDER [VARIABLE=VALUE...]
#
#   FACES        a folder with train/ and bench/, each with a folder for every source and an annotations.jsonl. Every
#                tenth photograph of train/ is held out: for validation, calibration and the choice of settings
#   SMALL        sources of train/ that encoders are trained on, but mixtures are not fitted to: other sizes than bench/
#                has (celeba)
#   MATCHED      sources of train/ of the same kind as photographs of bench/: a second mixture and a second perceptron
#                are fitted to them
#   GENERATED    sources of train/ that are not photographs, for the perceptrons alone
#   PAIRS        generators of bench/, each with the source of photographs there, and in train/, that are of its kind
#   UNPAIRED     the other generators, to be compared with all photographs
#   EXPERIMENTS  blades (all tasks, learnt weights), equal (equal weights), no-exif (manipulation tasks alone, learnt
#                weights), zou25 (four rankings and the coarse task, equal weights), pretrained (nothing more), random (the
#                encoder before any training)
#   OUT SEED BATCH ARCH WIDTH DIMENSION PRECISION
#   PRETRAIN          common to all experiments, manipulations alone, equal weights: a list of SIZE+SHIFT:EPOCHS, each
#                     beginning with the weights of the one before; the last SIZE+SHIFT is the experiments', too
#   PRETRAIN_OPTIONS EPOCHS TRAIN_OPTIONS   of these stages, and of each experiment's training
#   GMM_OPTIONS MATCHED_OPTIONS OWN_OPTIONS MLP_OPTIONS
#
# OUT/EXPERIMENT/ holds each experiment with its report. OUT/oc-all.txt, oc-matched.txt, bc-all.txt and bc-matched.txt
# compare their mixtures and perceptrons, fitted to all large photographs or to the matched ones; in OUT/oc-own.txt each
# of PAIRS is told apart by a mixture fitted to its kind of photographs alone, and UNPAIRED by that of the matched ones.
# OUT/coarse.txt has the coarse task's loss, accuracy and AUC on the photographs held out.
ifndef LIBRARY
.DEFAULT_GOAL := real-faces
include Makefile
else

.PHONY: real-faces
ifdef FACES
SMALL ?= celeba
MATCHED ?= celebrities stock
GENERATED ?= progan
PAIRS ?= progan=celebrities stylegan2=stock
UNPAIRED ?= sd21
PRETRAIN ?= 80+10:60 112+16:24
GMM_OPTIONS ?= -k 1:6
faces.out := $(or $(OUT),$(BUILD)/real-faces)
faces.data := $(patsubst %/,%,$(FACES))
faces.experiments := $(or $(EXPERIMENTS),blades equal no-exif zou25 pretrained random)
faces.untrained := random pretrained
faces.trained := $(filter-out $(faces.untrained),$(faces.experiments))
# SIZE, SHIFT and EPOCHS of a stage SIZE+SHIFT:EPOCHS.
stage.size = $(word 1,$(subst +, ,$(subst :, ,$(1))))
stage.shift = $(word 2,$(subst +, ,$(subst :, ,$(1))))
stage.epochs = $(word 3,$(subst +, ,$(subst :, ,$(1))))
# The kinds of photographs in PAIRS, and the generators of a kind.
pair.generator = $(word 1,$(subst =, ,$(1)))
pair.kind = $(word 2,$(subst =, ,$(1)))
faces.kinds := $(sort $(foreach p,$(PAIRS),$(call pair.kind,$(p))))
kind.generators = $(foreach p,$(PAIRS),$(if $(filter $(1),$(call pair.kind,$(p))),$(call pair.generator,$(p))))
faces.stage := $(lastword $(PRETRAIN))
faces.epochs := $(or $(EPOCHS),5)
faces.stream = $(addprefix $(faces.out)/,$(addsuffix .photos,$(1)))
ifeq ($(wildcard $(faces.data)/train/annotations.jsonl),)
$(error $(faces.data)/train/annotations.jsonl: no such file)
endif

# ---- Photo streams: fit and held of all sources, of the large ones (without SMALL), of the matched and generated ones,
# ---- of each kind of PAIRS ------------------------------------------------------------------------------------------
empty :=
alternatives = ($(subst $(empty) $(empty),|,$(strip $(1))))
faces.chosen-all := 1
faces.chosen-large := !/\/$(call alternatives,$(SMALL))\//
faces.chosen-matched := /\/$(call alternatives,$(MATCHED))\//
faces.chosen-generated := /\/$(call alternatives,$(GENERATED))\//
$(foreach k,$(faces.kinds),$(eval faces.chosen-$(k) := /\/$(k)\//))
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
$(foreach kind,all large matched generated $(faces.kinds),$(foreach side,fit held,$(eval $(call faces_photos,$(kind),$(side)))))
$(call faces.stream,bench): $(faces.data)/bench/annotations.jsonl $(call bin,exif-extract face-locate) | $(faces.out)
	@echo '== real-faces: bench' >&2
	$(call image_files,$(faces.data)/bench) | $(BUILD)/bin/exif-extract --files-from - | \
	  $(BUILD)/bin/face-locate -q --annotations $< -o $@
# Of bench/: a kind's photographs with its generators' faces; faces of no kind with all photographs, which are in a kind's
# stream, too, and get other names here (an evaluation has each face once).
define faces_bench_kind
$(call faces.stream,bench-$(1)): $(faces.data)/bench/annotations.jsonl $(call bin,exif-extract face-locate) | $(faces.out)
	$(call image_files,$(faces.data)/bench) | awk '/\/$(call alternatives,$(1) $(call kind.generators,$(1)))\//' | \
	  $$(BUILD)/bin/exif-extract --files-from - | $$(BUILD)/bin/face-locate -q --annotations $$< -o $$@
endef
$(foreach k,$(faces.kinds),$(eval $(call faces_bench_kind,$(k))))
$(call faces.stream,bench-unpaired): $(faces.data)/bench/annotations.jsonl $(call bin,exif-extract face-locate) | $(faces.out)
	{ $(call image_files,$(faces.data)/bench) | awk '/\/$(call alternatives,$(UNPAIRED))\//' | \
	    $(BUILD)/bin/exif-extract --files-from -; \
	  $(call image_files,$(faces.data)/bench/.) | \
	    awk '!/\/$(call alternatives,$(UNPAIRED) $(foreach p,$(PAIRS),$(call pair.generator,$(p))))\//' | \
	    $(BUILD)/bin/exif-extract --set source=photographs --files-from -; } | \
	  $(BUILD)/bin/face-locate -q --annotations $< -o $@

$(faces.out)/faces.msgpack $(faces.out)/faces.png &: $(call faces.stream,all-fit all-held) $(call bin,face-manipulate)
	$(BUILD)/bin/face-manipulate --size $(shell echo $$(($(call stage.size,$(faces.stage)) + $(call stage.shift,$(faces.stage))))) --sheet $(faces.out)/faces.png \
	  -o $(faces.out)/faces.msgpack $(filter %.photos,$^)

# ---- Training --------------------------------------------------------------------------------------------------------
faces.network := --arch $(or $(ARCH),resnet18) --width $(or $(WIDTH),0.5) --embedding-dim $(or $(DIMENSION),128) \
  --text-layers 2 --text-width 64 --precision $(or $(PRECISION),float32) --seed $(or $(SEED),0)
faces.batches = --size $(call stage.size,$(1)) --shift $(call stage.shift,$(1)) --flip --batch $(or $(BATCH),64) \
  --seed $(or $(SEED),0) --epochs
PRETRAIN_OPTIONS ?= --lr 1.5e-3 --lr-text 1e-4 --weight-decay 0.01 --warmup 200
TRAIN_OPTIONS ?= --lr 2e-4 --lr-text 1e-4 --weight-decay 0.01 --warmup 50 --schedule-epochs $(faces.epochs) \
  --lambda-lr 6e-2 --lambda-lag --memory huge
# With all tasks' prompts, so that the vocabulary serves the experiments, but weight for the manipulations alone.
faces.pretrained = $(faces.out)/pretrained-$(call stage.size,$(1)).safetensors
define faces_pretraining
$(call faces.pretrained,$(1)): $(faces.out)/faces.msgpack $(2:%=$(call faces.pretrained,$(2))) $(call bin,pretext-batch blades-train)
	@echo '== real-faces: pretraining at $(call stage.size,$(1)) pixels' >&2
	$(BUILD)/bin/pretext-batch -q --tasks examples/tasks/reference.json $(faces.batches) $(call stage.epochs,$(1)) $$< | \
	  $(BUILD)/bin/blades-train $(faces.network) $(2:%=--init $(call faces.pretrained,$(2))) \
	    --weights examples/manipulation-weights.json --validate-every 10 $(PRETRAIN_OPTIONS) \
	    --schedule-epochs $(call stage.epochs,$(1)) --log $(faces.out)/pretraining-$(call stage.size,$(1)).log -o $$@
endef
faces.before :=
$(foreach stage,$(PRETRAIN),$(eval $(call faces_pretraining,$(stage),$(faces.before)))$(eval faces.before := $(stage)))

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
real-$(1).untrained := $(filter $(faces.untrained),$(1))
real-$(1).batch-options := $(call faces.batches,$(faces.stage)) $(faces.epochs)
real-$(1).init := $(if $(filter random,$(1)),,$(call faces.pretrained,$(faces.stage)))
real-$(1).train-options := $(faces.network) \
  $(if $(filter $(faces.untrained),$(1)),--steps 0,$(train.$(1)) $(TRAIN_OPTIONS))
real-$(1).gmm-options := --calibrate $(faces.out)/$(1)/held.embeddings $(GMM_OPTIONS)
real-$(1).mlp-options := $(MLP_OPTIONS)
real-$(1).evaluate-options := $(addprefix --pair ,$(PAIRS))
real-$(1).tsne-options :=
$$(eval $$(call experiment,real-$(1)))
$(faces.out)/$(1)/held.embeddings: $(call faces.stream,large-held)
$(faces.out)/$(1)/gmm.safetensors: $(faces.out)/$(1)/held.embeddings
$(foreach s,matched-fit matched-held generated-fit $(foreach k,$(faces.kinds),$(k)-fit $(k)-held bench-$(k)) bench-unpaired,$(faces.out)/$(1)/$(s).embeddings: $(call faces.stream,$(s))
)
$(faces.out)/$(1)/gmm-matched.safetensors: $(faces.out)/$(1)/matched-fit.embeddings $(faces.out)/$(1)/matched-held.embeddings \
  $(call bin,gmm-fit)
	$$(BUILD)/bin/gmm-fit --calibrate $(faces.out)/$(1)/matched-held.embeddings $(or $(MATCHED_OPTIONS),$(GMM_OPTIONS)) -o $$@ $$<
$(faces.out)/$(1)/mlp-matched.safetensors: $(faces.out)/$(1)/matched-fit.embeddings $(faces.out)/$(1)/generated-fit.embeddings \
  $(call bin,mlp-fit)
	$$(BUILD)/bin/mlp-fit $(MLP_OPTIONS) -o $$@ $$(filter %.embeddings,$$^)
endef
define faces_kind
$(faces.out)/$(1)/gmm-$(2).safetensors: $(faces.out)/$(1)/$(2)-fit.embeddings $(faces.out)/$(1)/$(2)-held.embeddings $(call bin,gmm-fit)
	$$(BUILD)/bin/gmm-fit --calibrate $(faces.out)/$(1)/$(2)-held.embeddings $(or $(OWN_OPTIONS),$(MATCHED_OPTIONS),$(GMM_OPTIONS)) -o $$@ $$<
$(faces.out)/$(1)/gmm-own.scores: $(faces.out)/$(1)/gmm-$(2).safetensors $(faces.out)/$(1)/bench-$(2).embeddings
endef
define faces_own
$(foreach k,$(faces.kinds),$(call faces_kind,$(1),$(k))
)
$(if $(UNPAIRED),$(faces.out)/$(1)/gmm-own.scores: $(faces.out)/$(1)/gmm-matched.safetensors $(faces.out)/$(1)/bench-unpaired.embeddings)
$(faces.out)/$(1)/gmm-own.scores: $(call bin,score)
	{ $(foreach k,$(faces.kinds),$$(BUILD)/bin/score -d $(faces.out)/$(1)/gmm-$(k).safetensors $(faces.out)/$(1)/bench-$(k).embeddings &&) \
	  $(if $(UNPAIRED),$$(BUILD)/bin/score -d $(faces.out)/$(1)/gmm-matched.safetensors $(faces.out)/$(1)/bench-unpaired.embeddings,:); } >$$@
endef
$(foreach e,$(faces.experiments),$(eval $(call faces_experiment,$(e)))$(eval $(call faces_own,$(e))))

# ---- Tables ----------------------------------------------------------------------------------------------------------
faces.tables := oc-all oc-matched oc-own bc-all bc-matched
faces.scores.oc-all := gmm
faces.scores.oc-matched := gmm-matched
faces.scores.oc-own := gmm-own
faces.pairs.oc-own := $(UNPAIRED:%=%=photographs)
faces.scores.bc-all := mlp
faces.scores.bc-matched := mlp-matched
define faces_table
$(faces.out)/$(1).txt: $(faces.experiments:%=$(faces.out)/%/$(faces.scores.$(1)).scores) $(call bin,evaluate)
	$$(BUILD)/bin/evaluate $(addprefix --pair ,$(PAIRS) $(faces.pairs.$(1))) $(if $(filter random,$(faces.experiments)),--compare random) \
	  $(foreach e,$(faces.experiments),--method $(e)=$(faces.out)/$(e)/$(faces.scores.$(1)).scores) -o $$@
endef
$(foreach t,$(faces.tables),$(eval $(call faces_table,$(t))))
$(faces.out)/coarse.txt: $(faces.trained:%=$(faces.out)/%/training.jsonl) pipelines/held-out-coarse
	pipelines/held-out-coarse $(foreach e,$(faces.trained),$(e)=$(faces.out)/$(e)/training.jsonl) >$@

faces.texts := $(patsubst %,$(faces.out)/%.txt,coarse $(faces.tables))
real-faces: $(faces.texts) $(faces.experiments:%=$(faces.out)/%/report.html)
	@cat $(faces.texts)
$(faces.out):
	mkdir -p $@
else
real-faces:
	@echo 'Name the folder of faces: make -f pipelines/real-faces.mk FACES=FOLDER' >&2; exit 64
endif
endif
