# Everything that a fresh Debian 12 machine with Rust needs is installed by `setup`, which the other targets run first.

.PHONY: setup build drill test soak miri aarch64 bench

TARGET = $${CARGO_TARGET_DIR:-target}
AARCH64 = aarch64-unknown-linux-gnu
HAS_AARCH64 = [ -d "$$(rustc --print target-libdir --target $(AARCH64))" ]

# Servers and drivers that the tests and the drill use. Quick when there is nothing to do.
setup:
	lab/setup/setup.sh

# The library is built by itself: built together with the command, it would get the features that the lab's crates ask for.
build: setup
	cargo build --release --locked
	cargo build --release --locked -p pointsman-cli

# A switchover on real servers of this machine, bare beside protected: make drill DRILL="--server mysql --workload dbd"
drill: build
	$(TARGET)/release/pointsman drill $(DRILL)

# Formatting, lints, rules, then everything against real servers and drivers, those of other Debians included.
test: build
	lab/setup/setup.sh systems
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if $(HAS_AARCH64); then set -x; cargo clippy --locked --target $(AARCH64) -- -D warnings; else \
		echo "skipped: the lints for aarch64: no Rust for it: rustup target add $(AARCH64)"; fi
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo test --workspace --locked

# The long ones: coverage-guided fuzzing of the classifier and of the protocol's tracker, random stories on real
# servers, a bank, random histories of sessions, fork storms, one handle that moves ten thousand times, and the looks
# for faults of memory; see docs/soak.md.
# One run again: make soak SOAK="--only-run SEED"
SOAK = --runs 300 --jobs 2
SWITCHOVERS = 20
SIMULATED = 1000000
STORMS = 50
HISTORIES = 10000
MOVES = 10000
VALGRIND_MOVES = 1000
CONNECTS = 100000
soak: build
	fuzz/run.sh 300
	fuzz/run.sh 300 follow
	SIMULATED=$(SIMULATED) SIMULATED_FIRST=$$(date +%s%N) cargo test --locked --lib in_random_stories -- --nocapture
	$(TARGET)/release/pointsman soak $(SOAK)
	BANK_SWITCHOVERS=$(SWITCHOVERS) cargo test --locked -p pointsman-tests --test bank -- --nocapture
	HISTORIES=$(HISTORIES) cargo test --locked -p pointsman-tests --test histories -- --nocapture
	REPRODUCE=1 cargo test --locked -p pointsman-tests --test supply -- --nocapture
	STORMS=$(STORMS) cargo test --locked -p pointsman-tests --test fork_storm -- --nocapture
	MOVES=$(MOVES) cargo test --locked -p pointsman-tests --test moves -- --nocapture --test-threads 4
	VALGRIND_MOVES=$(VALGRIND_MOVES) cargo test --locked -p pointsman-tests --test memory -- --nocapture
	CONNECTS=$(CONNECTS) cargo test --locked -p pointsman-tests --test leaks -- --nocapture
	$(MAKE) aarch64
	@if cargo +nightly miri --version >/dev/null 2>&1; then $(MAKE) miri; else \
		echo "skipped: no Miri: rustup component add miri rust-src --toolchain nightly"; fi

# The rules that do no I/O, in the interpreter that knows undefined behaviour, but for tests that go on for long. It is no
# part of a stable toolchain.
miri:
	MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=$(TARGET)/miri cargo +nightly miri test --locked --lib -- \
		verdict:: sql:: session:: endpoint::life endpoint::name --skip properties \
		--skip grow --skip past_its_bound

# The other processor: the library is built for it, tested, and taken through a switchover by a program of it, in an
# emulator. The rules that are left out ask that for what it has not (TCP_INFO, MADV_WIPEONFORK), or for speed.
aarch64: setup
	@if [ "$$(uname -m)" = aarch64 ]; then echo "skipped: an emulated aarch64: this is a real one"; exit 0; fi; \
	if ! $(HAS_AARCH64); then echo "skipped: no Rust for aarch64: rustup target add $(AARCH64)"; exit 0; fi; \
	if ! lab/setup/setup.sh aarch64; then echo "skipped: aarch64: its packages cannot be had, see above"; exit 0; fi; \
	set -ex; \
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc; \
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"; \
	cargo test --locked --lib --target $(AARCH64) -- --skip host::socket --skip host::exchange --skip host::fork_mark \
		--skip a_fork_at_any_moment --skip time_grows; \
	cargo build --release --locked --target $(AARCH64); \
	AARCH64_ROOT=$$(realpath .roots/arm64) AARCH64_LIBRARY=$$(realpath $(TARGET)/$(AARCH64)/release/libpointsman.so) \
		cargo test --locked -p pointsman-tests --test aarch64 -- --ignored --nocapture

# What the library costs, as ratios to the bare run beside it; see docs/bench.md. One part: make bench BENCH=exec
bench: build
	lab/setup/setup.sh bench
	cargo run --release --locked --quiet -p pointsman-bench -- $(BENCH)
