# The paper's experiments: make -f pipelines/paper.mk TRAIN=STREAM.photos TEST_SETS=FOLDER [EXPERIMENTS=...]
#
#   TRAIN        a photo stream with faces, labelled photographic (pipelines/fdf.mk makes one of FDF)
#   TEST_SETS    a folder of folders of face images: photographs/ (CelebA's, say) and one for each generator, for example
#                stylegan2/ vqgan/ ldm/ ddim/ sdv21/ freedom/ hps/ midjourney/ sdxl/. A folder may hold an
#                annotations.jsonl with boxes; without, its images count as face crops
#   FIT          a photo stream to fit the mixtures to (default: TRAIN); the paper's is of the kind of the test photographs
#   SHOWN        a folder of folders like TEST_SETS, of generated faces that the perceptron is shown (optional)
#   EXPERIMENTS  what to run, of these (default: the first five):
#                blades           all tasks, learnt weights
#                equal            the same with weights that stay equal
#                no-exif          the manipulation tasks alone
#                zou25            the predecessor: four ranking tasks and the coarse one, fixed weights, 12 components
#                random           the encoder as it was before training
#                only-TASK        that task and the coarse one
#                without-TASK     all tasks but that one
#   OUT SIZE ARCH WIDTH DIMENSION BATCH EPOCHS LR TASKS INIT COMPONENTS SEED PER_CLASS TRAIN_OPTIONS
#
# OUT/EXPERIMENT/ holds each experiment with its report, OUT/tables.txt the paper's tables over all of them. The
# defaults are the paper's, and take days on a few cores: begin with a small SIZE, ARCH and WIDTH.
ifndef LIBRARY
.DEFAULT_GOAL := paper
ifneq ($(realpath $(lastword $(MAKEFILE_LIST))),$(realpath pipelines/paper.mk))
$(error run this in the top folder of BLADES: make -C $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..) -f pipelines/paper.mk; folders are \
  named as from there)
endif
include Makefile
else

.PHONY: paper
ifdef TEST_SETS
$(call without_blanks,TEST_SETS SHOWN OUT)
paper.out := $(or $(OUT),$(BUILD)/paper)
paper.size := $(or $(SIZE),224)
paper.tasks := $(or $(TASKS),examples/tasks/reference.json)
EXPERIMENTS ?= blades equal no-exif zou25 random
PER_CLASS ?= 5000
ifeq ($(TRAIN),)
$(error name the photo stream to train on: TRAIN=STREAM.photos (pipelines/fdf.mk makes one of FDF))
endif
ifeq ($(wildcard $(TEST_SETS)/photographs),)
$(error $(TEST_SETS)/photographs: no such folder)
endif

folders = $(sort $(notdir $(patsubst %/,%,$(wildcard $(1)/*/))))
paper.shown := $(if $(SHOWN),$(addprefix $(paper.out)/shown-,$(addsuffix .photos,$(call folders,$(SHOWN)))))
paper.test := $(addprefix $(paper.out)/test-,$(addsuffix .photos,$(call folders,$(TEST_SETS))))

$(paper.out):
	mkdir -p $@
# Labels by folder: what is not called photographs was generated.
define paper_photos
find -L '$(1)' -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) -print0 | LC_ALL=C sort -z | \
  $(BUILD)/bin/exif-extract --set source='$(notdir $(1))' \
    --set label=$(if $(filter photographs,$(notdir $(1))),photographic,generated) -0 --files-from - | \
  $(BUILD)/bin/face-locate --whole $(if $(wildcard $(1)/annotations.jsonl),--annotations '$(1)/annotations.jsonl') -o $@
endef
$(paper.out)/test-%.photos: $(TEST_SETS)/% $(call bin,exif-extract face-locate) | $(paper.out)
	$(call paper_photos,$<)
$(paper.out)/shown-%.photos: $(SHOWN)/% $(call bin,exif-extract face-locate) | $(paper.out)
	$(call paper_photos,$<)
$(paper.out)/only-%.json: $(paper.tasks) pipelines/select-tasks | $(paper.out)
	pipelines/select-tasks only $< $* coarse >$@
$(paper.out)/without-%.json: $(paper.tasks) pipelines/select-tasks | $(paper.out)
	pipelines/select-tasks without $< $* >$@

# What an experiment changes: its task file, options of blades-train, components of the mixture.
tasks.no-exif := examples/tasks/manipulation.json
tasks.zou25 := examples/tasks/zou25.json
train.equal := --weights equal
train.zou25 := --weights equal
train.random := --steps 0
components.zou25 := 12

define paper_experiment
paper-$(1).out := $(paper.out)/$(1)
paper-$(1).title := BLADES: $(1)
paper-$(1).note := Experiment &ldquo;$(1)&rdquo; of the paper, with images of $(paper.size) pixels.
paper-$(1).train := $(TRAIN)
paper-$(1).fit := $(or $(FIT),$(TRAIN))
paper-$(1).generated := $(paper.shown)
paper-$(1).perceptron := $(paper.shown)
paper-$(1).test := $(paper.test)
paper-$(1).untrained := $(filter random,$(1))
paper-$(1).faces := $(paper.out)/faces.msgpack
paper-$(1).sheet := $(paper.out)/faces.png
paper-$(1).tasks := $(or $(tasks.$(1)),$(if $(filter only-% without-%,$(1)),$(paper.out)/$(1).json),$(paper.tasks))
paper-$(1).init := $(INIT)
paper-$(1).batch-options := --size $(paper.size) --batch $(or $(BATCH),48) --epochs $(or $(EPOCHS),20) --seed $(or $(SEED),0)
paper-$(1).train-options := --arch $(or $(ARCH),resnet50) --width $(or $(WIDTH),1) --embedding-dim $(or $(DIMENSION),768) \
  --lr $(or $(LR),1e-5) --seed $(or $(SEED),0) $(TRAIN_OPTIONS) $(train.$(1))
paper-$(1).gmm-options := -k $(or $(components.$(1)),$(COMPONENTS),10)
paper-$(1).evaluate-options := --per-class $(PER_CLASS)
$$(eval $$(call experiment,paper-$(1)))
endef

# All experiments train on the same faces.
$(paper.out)/faces.msgpack $(paper.out)/faces.png &: $(TRAIN) $(call bin,face-manipulate) | $(paper.out)
	$(BUILD)/bin/face-manipulate --size $(paper.size) $(FACE_OPTIONS) --sheet $(paper.out)/faces.png \
	  -o $(paper.out)/faces.msgpack $(TRAIN)

$(foreach e,$(EXPERIMENTS),$(eval $(call paper_experiment,$(e))))

paper: $(paper.out)/tables.txt $(EXPERIMENTS:%=$(paper.out)/%/report.html)
$(paper.out)/tables.txt: $(EXPERIMENTS:%=$(paper.out)/%/gmm.scores) $(if $(SHOWN),$(EXPERIMENTS:%=$(paper.out)/%/mlp.scores)) $(call bin,evaluate)
	$(BUILD)/bin/evaluate --per-class $(PER_CLASS) $(foreach e,$(EXPERIMENTS),--method $(e)=$(paper.out)/$(e)/gmm.scores) \
	  $(if $(SHOWN),$(foreach e,$(EXPERIMENTS),--method $(e)-BC=$(paper.out)/$(e)/mlp.scores)) -o $@
	cat $@
else
paper:
	@echo 'Name the streams and folders: make -f pipelines/paper.mk TRAIN=STREAM.photos TEST_SETS=FOLDER' >&2; exit 64
endif
endif
