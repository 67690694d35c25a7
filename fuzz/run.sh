#!/bin/sh
# Fuzzes the classifier for the given number of seconds (60 unless told), on a stable toolchain: the coverage flags
# are the ones that cargo-fuzz would set. A crash is left in fuzz/artifacts, what was learnt in fuzz/corpus.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
host=$(rustc -vV | sed -n 's/^host: //p')
passes="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
counters="-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
compares="-Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 $passes $counters $compares" \
    cargo build --release --target "$host" --bin classify
mkdir -p corpus/classify artifacts
target=${CARGO_TARGET_DIR:-target}
exec "$target/$host/release/classify" -max_total_time="$seconds" -max_len=4096 -timeout=5 \
    -dict=sql.dict -artifact_prefix=artifacts/ corpus/classify
