#!/bin/sh
# Fuzzes for the given number of seconds (60 unless told) the classifier (`classify`, unless told) or the tracker of the
# protocol (`follow`), on a stable toolchain: the coverage flags are the ones that cargo-fuzz would set. A crash is left in
# fuzz/artifacts, what was learnt in fuzz/corpus.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
what=${2:-classify}
host=$(rustc -vV | sed -n 's/^host: //p')
passes="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
counters="-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
compares="-Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 $passes $counters $compares" \
    cargo build --release --target "$host" --bin "$what"
mkdir -p "corpus/$what" artifacts
target=${CARGO_TARGET_DIR:-target}
case $what in
classify) words="-max_len=4096 -dict=sql.dict" ;;
*) words=-max_len=1024 ;;
esac
# shellcheck disable=SC2086
exec "$target/$host/release/$what" -max_total_time="$seconds" $words -timeout=5 \
    -artifact_prefix=artifacts/ "corpus/$what"
