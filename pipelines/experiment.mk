# One experiment as a chain of stages, each a file under make. NAME's variables say what goes in:
#
#   NAME.out             folder for everything that comes out
#   NAME.title NAME.note for the report (NAME.note is HTML)
#   NAME.train           photo streams (with faces) to train on
#   NAME.faces           a face stream to train on, made of NAME.train unless another experiment made it; NAME.sheet is
#                        its contact sheet
#   NAME.model           the model, trained on NAME.faces unless there is one already
#   NAME.init            a model that training begins with (default: none)
#   NAME.fit             photo streams to fit detectors to (default: NAME.train); the mixture takes the photographs
#   NAME.generated       more photo streams, for the perceptron alone
#   NAME.perceptron      not empty: there are generated faces in NAME.fit or NAME.generated; train a perceptron, too
#   NAME.test            photo streams to evaluate on, with labels and sources; none: no evaluation
#   NAME.tasks           task file
#   NAME.untrained       not empty: there are no steps to plot
#   NAME.pictures        folders of which the report shows some
#   NAME.face-options, batch-options, train-options, embed-options, gmm-options, mlp-options, evaluate-options,
#   tsne-options
#
# $(eval $(call experiment,NAME)) makes the rules; NAME.out/report.html is the last of them. Tools are
# prerequisites: a rebuilt tool runs its stage again. Where nothing is gained by a file, stages are joined by a pipe: a
# stream that was cut short never passes for a whole one, so a stage that fails fails those behind it.

comma := ,
# Stops where one of these variables is a name with blanks, which make takes for several names.
without_blanks = $(foreach v,$(1),$(if $(word 2,$($(v))),\
  $(error $(v)=$($(v)): names with blanks are not supported by make; rename the folder or make a link to it)))
bin = $(addprefix $(BUILD)/bin/,$(1))

# Photo streams with faces, FOLDER.photos of FOLDER: its photographs and its annotations.jsonl.
define photos_recipe
@echo '== $*: tags and faces' >&2
find '$(1)' -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) -print0 | LC_ALL=C sort -z | \
  $(BUILD)/bin/exif-extract -0 --files-from - | \
  $(BUILD)/bin/face-locate -q --annotations '$(2)' -o '$@'
endef

define experiment
$(1).fit ?= $$($(1).train)
$(1).faces ?= $$($(1).out)/faces.msgpack
$(1).sheet ?= $$($(1).out)/faces.png
$(1).model ?= $$($(1).out)/model.safetensors
$(1).scores := $$($(1).out)/gmm.scores $$(if $$($(1).perceptron),$$($(1).out)/mlp.scores)
$(1).results := $$(addprefix $$($(1).out)/,detector.safetensors $$(if $$($(1).untrained),,training-weights.svg) $$(if $$($(1).test),\
  tables.txt result.tsv result.json provenance.json tsne.svg oc-roc.svg oc-histogram.svg \
  $$(if $$($(1).perceptron),bc-roc.svg bc-histogram.svg)))

$$($(1).out):
	mkdir -p $$@

# Look at the contact sheet before you train.
$$($(1).out)/faces.msgpack $$($(1).out)/faces.png &: $$($(1).train) $$(call bin,face-manipulate) | $$($(1).out)
	@echo '== $(1): manipulated faces' >&2
	$$(BUILD)/bin/face-manipulate $$($(1).face-options) --sheet $$($(1).out)/faces.png -o $$($(1).out)/faces.msgpack $$($(1).train)

# The log without its speed, which differs from run to run.
$$($(1).out)/model.safetensors $$($(1).out)/training.jsonl $$($(1).out)/summary.json &: \
  $$($(1).faces) $$($(1).init) $$($(1).tasks) $$(call bin,pretext-batch blades-train) | $$($(1).out)
	@echo '== $(1): training' >&2
	$$(BUILD)/bin/pretext-batch -q --tasks $$($(1).tasks) $$($(1).batch-options) --summary-json $$($(1).out)/summary.json \
	  $$($(1).faces) | \
	  $$(BUILD)/bin/blades-train $$($(1).init:%=--init %) $$($(1).train-options) --log $$($(1).out)/training.log -o $$($(1).out)/model.safetensors
	sed 's/,"images_per_second":[^,}]*//' $$($(1).out)/training.log >$$($(1).out)/training.jsonl
	rm -f $$($(1).out)/training.log

$$($(1).out)/fit.embeddings: $$($(1).fit)
$$($(1).out)/generated.embeddings: $$($(1).generated)
$$($(1).out)/test.embeddings: $$($(1).test)
$$($(1).out)/%.embeddings: $$($(1).model) $$(call bin,embed) | $$($(1).out)
	@echo '== $(1): embeddings, $$*' >&2
	$$(BUILD)/bin/embed $$($(1).embed-options) -m $$($(1).model) -o $$@ $$(filter %.photos,$$^)

$$($(1).out)/gmm.safetensors: $$($(1).out)/fit.embeddings $$(call bin,gmm-fit)
	@echo '== $(1): detectors and scores' >&2
	$$(BUILD)/bin/gmm-fit $$($(1).gmm-options) -o $$@ $$<
# What blades-score looks for.
$$($(1).out)/detector.safetensors: $$($(1).out)/gmm.safetensors
	cp $$< $$@
$$($(1).out)/mlp.safetensors: $$($(1).out)/fit.embeddings $$(if $$($(1).generated),$$($(1).out)/generated.embeddings) $$(call bin,mlp-fit)
	$$(BUILD)/bin/mlp-fit $$($(1).mlp-options) -o $$@ $$(filter %.embeddings,$$^)
$$($(1).out)/%.scores: $$($(1).out)/%.safetensors $$($(1).out)/test.embeddings $$(call bin,score)
	$$(BUILD)/bin/score -d $$< -o $$@ $$($(1).out)/test.embeddings
$$($(1).out)/provenance.json: $$($(1).out)/gmm.scores $$(call bin,stream-dump)
	$$(BUILD)/bin/stream-dump --header -o $$@ $$<

$(1).methods := --method OC=$$($(1).out)/gmm.scores $$(if $$($(1).perceptron),--method BC=$$($(1).out)/mlp.scores)
$$($(1).out)/tables.txt: $$($(1).scores) $$(call bin,evaluate)
	@echo '== $(1): evaluation' >&2
	$$(BUILD)/bin/evaluate $$($(1).evaluate-options) $$($(1).methods) -o $$@
$$($(1).out)/result.json: $$($(1).scores) $$(call bin,evaluate)
	$$(BUILD)/bin/evaluate -q $$($(1).evaluate-options) $$($(1).methods) --format json -o $$@
$$($(1).out)/result.tsv: $$($(1).scores) $$(call bin,evaluate)
	$$(BUILD)/bin/evaluate -q $$($(1).evaluate-options) --bootstrap 0 $$($(1).methods) --table summary --format tsv -o $$@
$$($(1).out)/oc-roc.svg $$($(1).out)/oc-histogram.svg &: $$($(1).out)/gmm.scores $$(call bin,evaluate) pipelines/plot-evaluation
	$$(call plot_evaluation,$$($(1).out)/oc,$$($(1).evaluate-options) --method OC=$$<)
$$($(1).out)/bc-roc.svg $$($(1).out)/bc-histogram.svg &: $$($(1).out)/mlp.scores $$(call bin,evaluate) pipelines/plot-evaluation
	$$(call plot_evaluation,$$($(1).out)/bc,$$($(1).evaluate-options) --method BC=$$<)
$$($(1).out)/training-weights.svg: $$($(1).out)/training.jsonl pipelines/plot-training
	pipelines/plot-training $$< $$($(1).out)/training
$$($(1).out)/tsne.svg: $$($(1).out)/test.embeddings $$(call bin,tsne)
	$$(BUILD)/bin/tsne $$($(1).tsne-options) --svg $$@ -o /dev/null $$<

$$($(1).out)/report.html: $$($(1).results) $$($(1).sheet) pipelines/report
	pipelines/report --sheet $$($(1).sheet) $$($(1).out) '$$($(1).title)' '$$($(1).note)' $$($(1).pictures) >$$@.part && mv $$@.part $$@
	@$$(if $$($(1).test),cat $$($(1).out)/tables.txt)
	@$$(call show_weights,$$($(1).out)/training.jsonl)
	@echo; $$(if $$($(1).remark),echo '$$($(1).remark)';) echo 'Report: $$@'
endef

define plot_evaluation
$(BUILD)/bin/evaluate -q --bootstrap 0 $(2) --table auc --bins 24 --roc $(1)-roc.data --histogram $(1)-histogram.data -o $(1)-auc.txt
pipelines/plot-evaluation $(1)-roc.data $(1)-histogram.data $(1)
rm -f $(1)-roc.data $(1)-histogram.data $(1)-auc.txt
endef

define show_weights
echo; echo 'Learnt task weights (all began at 1):'; tail -n 1 $(1) | grep -o '"lambda":{[^}]*}' | \
  sed 's/"lambda":{//; s/}//' | tr ',' '\n' | awk -F : '{ gsub(/"/, "", $$1); printf "  %-20s %.4f\n", $$1, $$2 }'
endef
