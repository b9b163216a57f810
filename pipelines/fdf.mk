# The photographs of FDF (Flickr Diverse Faces) for training: make -f pipelines/fdf.mk FDF=FOLDER METADATA=FILE [LANDMARKS=FOLDER]
#
#   FDF        FDF's folder: fdf_metainfo.json and the face images below it
#   METADATA   the photographs' EXIF tags as JSON, one object a photograph, as exiftool or Flickr spell them; FDF's
#              images have none of their own
#   LANDMARKS  68-point landmarks of a face alignment network, a .npy file an image; without them only the
#              manipulations that 7 keypoints allow are made
#   OUT        where everything goes (build/fdf)
#
# Makes OUT/fdf.photos, OUT/faces.msgpack and its contact sheet OUT/faces.png. Go on with
# make -f pipelines/paper.mk TRAIN=OUT/fdf.photos.
ifndef LIBRARY
.DEFAULT_GOAL := fdf
ifneq ($(realpath $(lastword $(MAKEFILE_LIST))),$(realpath pipelines/fdf.mk))
$(error run this in the top folder of BLADES: make -C $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..) -f pipelines/fdf.mk; folders are \
  named as from there)
endif
include Makefile
else

FDF_OUT := $(if $(FDF),$(or $(OUT),$(BUILD)/fdf))
.PHONY: fdf
ifdef FDF
$(call without_blanks,FDF METADATA LANDMARKS OUT)
fdf: $(FDF_OUT)/faces.msgpack
$(FDF_OUT):
	mkdir -p $@
$(FDF_OUT)/fdf.photos: $(FDF)/fdf_metainfo.json $(METADATA) $(call bin,exif-extract face-locate) | $(FDF_OUT)
	find -L '$(FDF)' -type f \( -name '*.png' -o -name '*.jpg' \) -print0 | LC_ALL=C sort -z | \
	  $(BUILD)/bin/exif-extract $(if $(METADATA),--metadata '$(METADATA)') --set label=photographic \
	    --set source=fdf -0 --files-from - | \
	  $(BUILD)/bin/face-locate --annotations '$<' $(if $(LANDMARKS),--annotations '$(LANDMARKS)') --missing drop -o $@
$(FDF_OUT)/faces.msgpack $(FDF_OUT)/faces.png &: $(FDF_OUT)/fdf.photos $(call bin,face-manipulate)
	$(BUILD)/bin/face-manipulate $(FACE_OPTIONS) --sheet $(FDF_OUT)/faces.png -o $(FDF_OUT)/faces.msgpack $<
else
fdf:
	@echo 'Name the folder of FDF: make -f pipelines/fdf.mk FDF=FOLDER METADATA=FILE' >&2; exit 64
endif
endif
