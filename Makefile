# Enigma: build, run and test. `make help` lists the targets.
SHELL := /bin/sh
SWIFT_BUILD := swift build -c release --omit-frame-pointers -Xswiftc -static-stdlib
ENIGMA := .build/release/enigma
PREFIX ?= /usr/local
PACKAGES := erlang-base erlang-dev erlang-src erlang-crypto erlang-syntax-tools erlang-parsetools erlang-tools \
	erlang-runtime-tools llvm-19-dev libffi-dev libgmp-dev libpcre2-dev zlib1g-dev libncurses-dev python3 binutils

.PHONY: help setup build shell test test-all fuzz bench check-hot coverage install format generate check-generated

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: ## install the Debian packages that are missing
	@sh otp/setup.sh $(PACKAGES)

build: setup ## build in release
	$(SWIFT_BUILD) --product enigma

shell: build ## build and start the Erlang shell
	@otp/bin/erl

test: build check-generated check-hot coverage ## set up, build and run every test
	swift test $(TEST_FLAGS)
	python3 Tests/Conformance/launch.py $(ENIGMA)
	python3 Tests/Conformance/crashdump.py $(ENIGMA)
	python3 Tests/Conformance/tools.py $(ENIGMA)
	python3 Tests/Conformance/jit.py $(ENIGMA)
	python3 Tests/Conformance/cache.py $(ENIGMA)
	python3 Tests/Conformance/terminal.py $(ENIGMA)
	python3 Tests/Conformance/terminal.py $(ENIGMA) --only editing,errors,break,wide --flags "--gc-stress" --flags "+S 1"
	python3 Tests/Conformance/run.py $(ENIGMA)
	python3 Tests/Conformance/fuzz.py $(ENIGMA)
	python3 Tests/Conformance/fuzz_functions.py $(ENIGMA) --functions 300

test-all: test ## the slow modes too: terminal sessions and modules in every mode, more random functions
	python3 Tests/Conformance/terminal.py $(ENIGMA) --flags "--no-jit" --flags "--jit-threshold 20" \
		--flags "--jit-threshold 20 --jit-exit-stress"
	python3 Tests/Conformance/tools.py $(ENIGMA) --full
	python3 Tests/Conformance/run.py $(ENIGMA) --full
	$(MAKE) fuzz N=5000

N ?= 20000
SEED ?= 2
fuzz: build ## run N=20000 random functions of SEED=2 on the real erl and on Enigma in every mode
	python3 Tests/Conformance/fuzz_functions.py $(ENIGMA) --functions $(N) --seed $(SEED) --keep .build/fuzz

bench: build ## run the benchmarks on the real erl and on Enigma alternately
	python3 otp/bench/run.py $(ENIGMA)
	python3 otp/bench/run.py $(ENIGMA) --erlc

check-hot: build ## prove from the binary that handlers have no calls, pushes or reference counting
	python3 Tests/Conformance/check_hot.py $(ENIGMA)

coverage: build ## native functions and instructions of OTP 25 that are there or missing
	@$(ENIGMA) coverage otp/expectations

install: build ## install below PREFIX: enigma (as erl), enigma-erlc, enigma-escript
	install -d $(PREFIX)/bin $(PREFIX)/lib/enigma/bin
	install $(ENIGMA) otp/bin/erl otp/bin/erlc otp/bin/escript $(PREFIX)/lib/enigma/bin
	install -m 644 otp/enigma-gdb.py $(PREFIX)/lib/enigma
	ln -sf ../lib/enigma/bin/enigma $(PREFIX)/bin/enigma
	for tool in erlc escript; do ln -sf ../lib/enigma/bin/$$tool $(PREFIX)/bin/enigma-$$tool; done

format: ## format the Swift sources, but for the generated ones
	find Package.swift Sources Tests -name '*.swift' -not -path '*/Generated/*' | xargs swift format --in-place

# The functions of LLVM that the JIT names.
LLVM_FUNCTIONS := grep -oh 'LLVM[A-Z][A-Za-z0-9]*(' Sources/JIT/*.swift | LC_ALL=C sort -u | sed 's/\(.*\)(/LLVM_FUNCTION(\1)/'

generate: ## write the generated sources anew from the tables
	$(LLVM_FUNCTIONS) > Sources/CLLVM/include/LLVMFunctions.inc
	swift build -c release --product opgen
	.build/release/opgen .

check-generated:
	swift build -c release --omit-frame-pointers -Xswiftc -static-stdlib --product opgen
	.build/release/opgen --check .
	$(LLVM_FUNCTIONS) | diff - Sources/CLLVM/include/LLVMFunctions.inc
