# make demo: the whole experiment on drawn faces behind simulated cameras, in a few minutes on two cores.
# Variables: DEMO (folder), DEMO_PHOTOS, DEMO_SHOWN, DEMO_TEST, DEMO_SIZE, DEMO_STEPS, DEMO_TASKS.
#
# Rates, steps, sizes and the number of components were chosen on drawn faces with other numbers (from 400000 on), the
# stand-ins among them; the faces evaluated here took no part in it.
DEMO ?= $(BUILD)/demo
DEMO_PHOTOS ?= 1280
DEMO_SHOWN ?= 240
DEMO_TEST ?= 100
DEMO_STEPS ?= 1500
DEMO_SIZE ?= 80
DEMO_TASKS ?= examples/tasks/reference.json

demo.generators := upsampler smoother blender quantiser
demo.out := $(DEMO)
demo.title := BLADES on drawn faces
demo.remark := The faces are drawn, not photographed: this shows that the pipeline works, not how well it does on real faces.
demo.note := <b>The faces are drawn, not photographed.</b> A program painted them and simulated cameras took their pictures; \
  the &ldquo;generated&rdquo; ones are stand-ins drawn with the traces that kinds of generators are known for. This page \
  shows that the pipeline works, not how well it does on real faces. Rates, sizes and the number of components were \
  chosen with the detection of these kinds of stand-ins in view, on other drawings than those evaluated here.
demo.train := $(DEMO)/photographs.photos
demo.generated := $(DEMO)/shown-upsampler.photos
demo.perceptron := yes
demo.test := $(DEMO)/unseen-photographs.photos $(demo.generators:%=$(DEMO)/%.photos)
demo.tasks := $(DEMO_TASKS)
demo.pictures := $(DEMO)/photographs $(demo.generators:%=$(DEMO)/%)
demo.face-options := --size 64 --sheet-rows 10
demo.batch-options := --size 64 --batch 32 --epochs 1000 --flip
demo.train-options := --arch resnet18 --width 0.25 --embedding-dim 64 --text-layers 2 --text-width 64 \
  --steps $(DEMO_STEPS) --schedule-steps $(DEMO_STEPS) --warmup 30 --lr 2e-3 --lr-text 1e-5 --lambda-lr 1e-2
demo.gmm-options := -k 2
demo.mlp-options :=
demo.embed-options :=
demo.evaluate-options :=
demo.tsne-options :=

.PHONY: demo
demo: $(DEMO)/report.html

# No two folders share a person: the numbers of their pictures are apart.
synth = $(BUILD)/bin/face-synth --size $(DEMO_SIZE) $(1) -o $(@D)
$(DEMO)/photographs/annotations.jsonl: $(call bin,face-synth) | $(DEMO)
	@echo '== demo: drawing faces' >&2
	$(call synth,--count $(DEMO_PHOTOS))
$(DEMO)/unseen-photographs/annotations.jsonl: $(call bin,face-synth) | $(DEMO)
	$(call synth,--first 100000 --count $(DEMO_TEST) --set source=photographs)
$(DEMO)/shown-upsampler/annotations.jsonl: $(call bin,face-synth) | $(DEMO)
	$(call synth,--first 200000 --count $(DEMO_SHOWN) --generator upsampler)
$(demo.generators:%=$(DEMO)/%/annotations.jsonl): $(DEMO)/%/annotations.jsonl: $(call bin,face-synth) | $(DEMO)
	$(call synth,--first 300000 --count $(DEMO_TEST) --generator $*)

$(DEMO)/%.photos: $(DEMO)/%/annotations.jsonl $(call bin,exif-extract face-locate)
	$(call photos_recipe,$(<D),$<)

$(eval $(call experiment,demo))
