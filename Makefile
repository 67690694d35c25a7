# Everything that a fresh Debian 12 machine with Rust needs is installed by `setup`, which the other targets run first.

.PHONY: setup build drill test soak bench

TARGET = $${CARGO_TARGET_DIR:-target}

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

# Formatting, lints, rules, then everything against real servers and drivers.
test: build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo test --workspace --locked

# The long ones: coverage-guided fuzzing of the classifier, random stories on real servers, a bank, random histories of
# sessions, fork storms, and one handle that moves ten thousand times; see docs/soak.md.
# One run again: make soak SOAK="--only-run SEED"
SOAK = --runs 200
SWITCHOVERS = 20
STORMS = 50
HISTORIES = 10000
MOVES = 10000
soak: build
	fuzz/run.sh 300
	$(TARGET)/release/pointsman soak $(SOAK)
	BANK_SWITCHOVERS=$(SWITCHOVERS) cargo test --locked -p pointsman-tests --test bank -- --nocapture
	HISTORIES=$(HISTORIES) cargo test --locked -p pointsman-tests --test histories -- --nocapture
	STORMS=$(STORMS) cargo test --locked -p pointsman-tests --test fork_storm -- --nocapture
	MOVES=$(MOVES) cargo test --locked -p pointsman-tests --test moves -- --nocapture --test-threads 4

# What the library costs, as ratios to the bare run beside it; see docs/bench.md. One part: make bench BENCH=exec
bench: build
	lab/setup/setup.sh bench
	cargo run --release --locked --quiet -p pointsman-bench -- $(BENCH)
