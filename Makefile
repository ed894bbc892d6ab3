# make          build ./runtime, a static binary without cgo that carries the seccomp compiler
# make demo     build, make a bundle of busybox, run it
# make test     every test: unit and black box, in all cgroup views
# make check    what a commit must pass: format, vet, linters, unit tests
# make install  PREFIX=/usr/local DESTDIR=

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
CACHE   := .cache

GO      ?= $(shell .ci/go)
VERSION ?= 0.1.0-dev
COMMIT  ?= $(shell git describe --always --dirty 2>/dev/null || echo unknown)
# urfave_cli_no_docs drops a Markdown library and its start-up time.
TAGS    := urfave_cli_no_docs
LDFLAGS := -s -w -X ociruntime/internal/cli.release=$(VERSION) -X ociruntime/internal/cli.commit=$(COMMIT)
SOURCES := $(shell find . -name '*.go' -o -name '*.s' | grep -v _test.go | grep -v '^./.cache') go.mod go.sum
EMBED   := libcontainer/seccomp/embed

.PHONY: all static nocgo install test unit blackbox check bench demo fuzz test-vm clean deps deps-test

all: runtime

# libseccomp is in a second program inside the binary, which runs when a
# profile is met for the first time: linked into the main one it would cost
# every command 0.7 ms of start-up.
runtime: $(SOURCES) $(EMBED)/helper $(EMBED)/helper.version
	CGO_ENABLED=0 $(GO) build -trimpath -tags '$(TAGS) seccomp_helper' -ldflags '$(LDFLAGS)' -o $@ .

static: runtime

$(EMBED)/helper: $(wildcard libcontainer/seccomp/*.go libcontainer/seccomp/helper/*.go) | deps
	CGO_ENABLED=1 $(GO) build -trimpath -tags 'netgo osusergo' \
		-ldflags '-s -w -linkmode external -extldflags -static' -o $@ ./libcontainer/seccomp/helper

$(EMBED)/helper.version: $(EMBED)/helper
	{ pkg-config --modversion libseccomp && sha256sum <$<; } >$@

# Without libseccomp, for where no C compiler is: profiles are refused.
nocgo:
	CGO_ENABLED=0 $(GO) build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o runtime .

install: runtime
	install -D -m 0755 runtime $(DESTDIR)$(BINDIR)/runtime

deps:
	@.ci/deps build

deps-test: deps
	@.ci/deps test

test: check blackbox

unit: deps-test $(EMBED)/helper.version
	$(GO) test -tags '$(TAGS)' ./internal/... ./spec/... ./nsenter/... ./cgroups/... ./rootfs/... ./libcontainer/... ./tests/bench/... ./tests/harness/... ./tests/layers/... ./tests/require/... ./tests/view/...

blackbox: deps-test runtime
	$(GO) test -count=1 -timeout 20m ./tests ./tests/breakouts

check: deps-test $(EMBED)/helper.version
	@.ci/check

bench: deps-test runtime
	$(GO) build -o $(CACHE)/bench/bench ./tests/bench
	$(CACHE)/bench/bench

test-vm: deps-test runtime
	tests/vm/suite.sh

demo: deps runtime
	@.ci/demo

# One minute for each fuzz target.
fuzz: deps-test
	@.ci/fuzz

clean:
	rm -rf runtime bundle $(CACHE) $(EMBED)/helper $(EMBED)/helper.version
