# Strake. Type `make` to see what can be done; the logic is in tools/.

# `make run` and `make test`: memory, processors, firmware, accelerator, instruction counting, and
# commands to run instead of a session. `make push`: the component to send. `make test`: which tests.
# `value` keeps the `$` of a command for the shell inside the system.
MEM ?= 256
SMP ?= 1
BOOT ?= bios
ACCEL ?= auto
ICOUNT ?=
CMD ?=
C ?=
FILTER ?=
N ?= 100
SEED ?= 1
KIND ?= all
AIM ?=
override CMD := $(value CMD)
export MEM SMP BOOT ACCEL ICOUNT CMD C FILTER N SEED KIND AIM NO_INSTALL

SETUP := sh tools/setup.sh
TOOLS := target/release
MDBOOK := build/tools/bin/mdbook

.PHONY: help run push debug image iso test soak bench inject check fuzz book doc prepush clean tools \
	setup-rust setup-image setup-run setup-test setup-debug setup-book setup-fuzz setup-bench
.DEFAULT_GOAL := help

help: ## Show this help
	@echo 'Strake: an operating system in which every part can be replaced while it runs.'
	@echo
	@echo 'make run && poweroff at its prompt, or make run CMD="hello; components" are good starts.'
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | \
		while IFS='	' read -r target text; do printf '  make %-8s %s\n' "$$target" "$$text"; done
	@echo
	@echo 'Settings, with their defaults:'
	@echo '  MEM=256          memory in MiB             SMP=1        processors'
	@echo '  BOOT=bios        or uefi, or direct (PVH)  ACCEL=auto   or tcg, kvm'
	@echo '  ICOUNT=1         guest time = instructions CMD="…"      run these commands and power off'
	@echo '  C=name           component to push         FILTER=text  tests whose name contains text'
	@echo '  N=100 SEED=1     faults to inject          KIND=all     or software, hardware, one kind'
	@echo '  AIM=text         faults in functions whose path contains text'
	@echo '  NO_INSTALL=1     name missing host packages instead of installing them'

run: setup-run iso ## Boot it; the terminal is its console (Ctrl-A X leaves)
	@$(TOOLS)/strake run

push: tools ## Send what you edited into the running system (C=name: just that)
	@$(TOOLS)/strake push

debug: setup-debug tools ## Attach gdb to the running system, with every component's symbols
	@$(TOOLS)/strake debug

image: tools ## Build the objects, the archive and the nucleus
	@$(TOOLS)/image build

iso: setup-image tools ## Build the bootable ISO for BIOS and UEFI
	@$(TOOLS)/image build --iso

test: setup-test iso ## Run the unit tests on the host and the system tests under QEMU
	@$(TOOLS)/system_test

soak: setup-test iso ## Boot it BOOTS=300 times on 4 processors, up to the first bad boot
	@$(TOOLS)/system_test --soak $(or $(BOOTS),300)

bench: setup-bench iso ## Compare what operations cost here and in Linux, in build/bench
	@cargo build --quiet --release -p benchmarks
	@$(TOOLS)/benchmarks

inject: setup-run image ## Inject N=100 faults of KIND=all, software or hardware, drawn from SEED=1
	@$(TOOLS)/inject

check: image ## Check format, lints, layers, unsafe grants, nucleus, docs, links
	@$(TOOLS)/check

fuzz: setup-fuzz ## Fuzz every parser for SECONDS=30 each (wants nightly)
	@sh tools/fuzz/run.sh $(or $(SECONDS),30)

book: setup-book ## Build the book into build/book
	@$(MDBOOK) build book

doc: tools ## Build the crates' documentation
	@$(TOOLS)/check documentation
	@echo 'The documentation is in target/doc.'

prepush: check test ## What to run before a push

clean: ## Remove everything that was built, but not the installed tools
	@cargo clean
	@find build -mindepth 1 -maxdepth 1 ! -name tools -exec rm -rf {} + 2>/dev/null || true

# The tools that later steps call. Cargo finds out in a moment that there is nothing to do.
tools: setup-rust
	@cargo build --quiet --release -p image -p runner -p system_test -p check -p inject

# All that a target needs is asked for at once, so that it is installed at once.
setup-rust:
	@$(SETUP) rust
setup-image:
	@$(SETUP) rust image
setup-run:
	@$(SETUP) rust image run
setup-test:
	@$(SETUP) rust image run debug
setup-debug:
	@$(SETUP) rust debug
setup-book:
	@$(SETUP) rust book
setup-fuzz:
	@$(SETUP) rust fuzz
setup-bench:
	@$(SETUP) rust image run bench
