# Sluice: the commands that newcomers guess. SLUICE_SCRATCH moves the build folder out of the checkout.
SCRATCH := $(or $(SLUICE_SCRATCH),.build)
SWIFT_BUILD := swift build --scratch-path $(SCRATCH) -c release
# Built once, without testable imports: programs, tests and benchmark share one build. The end-to-end tests measure times,
# so they run by themselves; and so do the simulations, which leave no processor to anybody else.
SWIFT_TEST := swift test --scratch-path $(SCRATCH) -c release --skip-build
FORMATTED := Package.swift Sources Tests Fuzzing Benchmarks
.DEFAULT_GOAL := help
.PHONY: help run build test test-clients bench bench-hot instructions chaos simulate fuzz fuzz-check sanitize sanitize-all fmt lint setup clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

run: setup ## builds, then shows Sluice with two real InfluxDB servers on this machine
	$(SWIFT_BUILD) --product sluice
	@exec $$($(SWIFT_BUILD) --show-bin-path)/sluice demo

build: setup ## builds for release
	$(SWIFT_BUILD) --product sluice

test: setup ## builds and runs all tests, those against real InfluxDB included
	$(SWIFT_BUILD) --build-tests
	$(SWIFT_TEST) --filter 'ClusterTests|CommitLogTests' $(TESTFLAGS)
	$(SWIFT_TEST) --filter OperationsTests $(TESTFLAGS)
	$(SWIFT_TEST) --skip 'EndToEndTests|ChaosTests|ClusterTests|CommitLogTests|OperationsTests' $(TESTFLAGS)
	$(SWIFT_TEST) --filter EndToEndTests $(TESTFLAGS)
	$(SWIFT_TEST) --filter ChaosTests $(TESTFLAGS)

test-clients: ## runs programs and libraries that speak to InfluxDB 1.x; SLUICE_BINARY: not this build but that program
	$(if $(SLUICE_BINARY),,$(SWIFT_BUILD) --product sluice)
	scripts/test-clients $(or $(SLUICE_BINARY),$$($(SWIFT_BUILD) --show-bin-path)/sluice) $(TESTS)

bench: ## measures the gateway and what stands behind it; BENCHFLAGS='--scenarios all', '--help'
	scripts/setup bench
	$(SWIFT_BUILD) --product sluice
	$(SWIFT_BUILD) --product sluice-bench
	@exec $$($(SWIFT_BUILD) --show-bin-path)/sluice-bench run $(BENCHFLAGS)

bench-hot: ## times the hot paths
	SLUICE_BENCHMARKS=1 swift package --scratch-path $(SCRATCH)-benchmarks --disable-sandbox benchmark $(BENCHFLAGS)

instructions: ## counts the instructions of the hot paths and holds them against Benchmarks/instructions.txt
	scripts/instructions check

chaos: ## breaks a real gateway and real nodes at random; CHAOSFLAGS='--kills 200', '--soak 20', '--seed N', '--help'
	scripts/setup
	$(SWIFT_BUILD) --product sluice
	$(SWIFT_BUILD) --product sluice-chaos
	@exec $$($(SWIFT_BUILD) --show-bin-path)/sluice-chaos $(CHAOSFLAGS)

simulate: ## runs the simulator: SIMFLAGS='--runs N --operations 5000 --faults 50', --help; SIM_BINARY: not this build
	$(if $(SIM_BINARY),,$(SWIFT_BUILD) --product sluice-sim)
	@exec $(or $(SIM_BINARY),$$($(SWIFT_BUILD) --show-bin-path)/sluice-sim) run $(SIMFLAGS)

fuzz: setup ## fuzzes each target for FUZZTIME seconds (60), or those in TARGETS
	scripts/fuzz run $(TARGETS)

fuzz-check: ## runs the fuzz targets that build in seconds for 5 seconds each
	scripts/fuzz check

sanitize: ## runs the unit tests of the pure targets under the address and the thread sanitizer
	scripts/sanitize core

sanitize-all: setup ## the same, and then the unit tests of the targets that use SwiftNIO
	scripts/sanitize core
	scripts/sanitize all

fmt: ## formats the code
	swift format --in-place --recursive --parallel $(FORMATTED)

lint: ## checks format and style, and that every known failure and every guarantee has its test
	scripts/failures-check
	swift format lint --strict --recursive --parallel $(FORMATTED)

setup: ## installs the Debian packages that are missing
	@scripts/setup

clean: ## removes the build folder
	rm -rf $(SCRATCH)
