.PHONY: setup drill

# Servers and drivers that the tests and the drill use.
setup:
	lab/setup/setup.sh

# A switchover on real servers of this machine, bare beside protected: make drill DRILL="--server mysql --workload dbd"
# The library is built by itself: built together with the command, it would get the features that the lab's crates ask for.
drill: setup
	cargo build --release
	cargo build --release -p pointsman-cli
	$${CARGO_TARGET_DIR:-target}/release/pointsman drill $(DRILL)
