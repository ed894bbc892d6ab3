# make               build ./runtime: one static binary
# make demo          run a container of busybox, after installing what that takes
# make test          unit tests, and black-box tests in every cgroup view
# make check         what a commit must pass: format, vet, linters, unit tests
# make bench         compare with other runtimes (tests/bench/README.md)
# make test-engines  run under dockerd, containerd and podman (tests/engines)
# make test-vm       the tests on a host with cgroup v2 and systemd, in QEMU; CI runs some of them (.ci/vm)
# make fuzz          every fuzz target for a minute, or FUZZTIME=10s
# make install       binary, manual and completions: PREFIX=/usr/local DESTDIR=
# make deb           a Debian package, in DEBDIR=.
#
# What is missing is installed from Debian's packages; elsewhere it is named.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR  ?= $(DATADIR)/man
ZSHDIR  ?= $(DATADIR)/zsh/site-functions
DEBDIR  ?= .
CACHE   := .cache

GO      ?= $(shell .ci/go)
VERSION ?= 0.1.0-dev
COMMIT  ?= $(shell git describe --always --dirty 2>/dev/null || echo unknown)

# Debian's go never fetches the version that go.mod asks for unless it is told to.
export GOTOOLCHAIN ?= auto

# The kernel enters at internal/sys/entry_*.s, which sets the Go runtime up for short lives.
LDFLAGS := -s -w -E=ociruntime_entry -X ociruntime/internal/cli.release=$(VERSION) -X ociruntime/internal/cli.commit=$(COMMIT)
BUILD    = $(GO) build -trimpath -buildvcs=false
SOURCES := $(shell find . -name .cache -prune -o \( -name '*.go' -o -name '*.s' -o -name 'help.txt' \) ! -name '*_test.go' -print) go.mod go.sum
EMBED   := libcontainer/seccomp/embed

.PHONY: all static nocgo install deb test unit blackbox lint check bench demo fuzz test-vm test-engines clean deps deps-test

all: runtime

# libseccomp is in a second program inside the binary, which runs when a
# profile is met for the first time: linked into the main one it would cost
# every command 0.7 ms of start-up.
runtime: $(SOURCES) $(EMBED)/helper $(EMBED)/helper.version | deps
	CGO_ENABLED=0 $(BUILD) -tags seccomp_helper -ldflags '$(LDFLAGS)' -o $@ .

static: runtime # there is no other

$(EMBED)/helper: $(filter ./libcontainer/seccomp/%,$(SOURCES)) go.mod | deps
	CGO_ENABLED=1 $(BUILD) -tags 'netgo osusergo' -ldflags '-s -w -linkmode external -extldflags -static' -o $@ ./libcontainer/seccomp/helper

$(EMBED)/helper.version: $(EMBED)/helper
	{ pkg-config --modversion libseccomp && sha256sum <$<; } >$@

# Without libseccomp, for where no C compiler is: profiles are refused.
nocgo:
	CGO_ENABLED=0 $(BUILD) -ldflags '$(LDFLAGS)' -o runtime .

install: runtime
	install -D -m 0755 runtime $(DESTDIR)$(BINDIR)/runtime
	install -d $(DESTDIR)$(MANDIR)/man8
	install -m 0644 docs/man/*.8 $(DESTDIR)$(MANDIR)/man8/
	install -D -m 0644 completions/runtime.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/runtime
	install -D -m 0644 completions/_runtime $(DESTDIR)$(ZSHDIR)/_runtime
	install -D -m 0644 completions/runtime.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/runtime.fish

deb: runtime
	rm -rf --one-file-system $(CACHE)/deb
	$(MAKE) -o runtime install DESTDIR=$(CACHE)/deb PREFIX=/usr ZSHDIR=/usr/share/zsh/vendor-completions
	packaging/deb $(CACHE)/deb $(VERSION) $(DEBDIR)

deps:
	@.ci/deps build

deps-test: deps
	@.ci/deps test

test: unit blackbox

check: lint unit

lint: deps-test $(EMBED)/helper.version
	@.ci/lint

unit: deps-test $(EMBED)/helper.version
	@.ci/unit

blackbox: deps-test runtime
	@.ci/blackbox

test-engines: deps-test runtime
	@.ci/deps engines
	@.ci/blackbox ./tests/engines

bench: deps runtime
	@.ci/deps bench
	$(BUILD) -o $(CACHE)/bench/bench ./tests/bench
	$(CACHE)/bench/bench

test-vm: deps-test runtime
	tests/vm/suite.sh

demo: deps runtime
	@.ci/demo

fuzz: deps-test
	@.ci/fuzz

clean:
	rm -rf --one-file-system runtime bundle $(CACHE) $(EMBED)/helper $(EMBED)/helper.version
