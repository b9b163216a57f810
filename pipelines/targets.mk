# Experiments and installation, for the Makefile.
ifneq ($(filter demo real paper fdf,$(MAKECMDGOALS))$(filter pipelines/%.mk,$(firstword $(MAKEFILE_LIST))),)
ifneq ($(shell pipelines/dependencies demo >&2 || echo failed),)
$(error dependencies are missing)
endif
endif

include pipelines/experiment.mk pipelines/demo.mk pipelines/real.mk pipelines/fdf.mk pipelines/paper.mk \
  pipelines/real-faces.mk

# make install PREFIX=/usr/local DESTDIR=
share := $(DESTDIR)$(PREFIX)/share
install: all
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(share)/man/man1' '$(share)/man/man5' '$(share)/man/man7' '$(share)/blades/tasks'
	install $(TOOLS:%=$(BUILD)/bin/%) pipelines/blades-score '$(DESTDIR)$(PREFIX)/bin'
	install -m 644 man/*.1 '$(share)/man/man1'
	install -m 644 man/*.5 '$(share)/man/man5'
	install -m 644 man/*.7 '$(share)/man/man7'
	install -m 644 examples/tasks/*.json '$(share)/blades/tasks'
