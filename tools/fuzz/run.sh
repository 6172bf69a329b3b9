#!/bin/sh
# Fuzzes every parser for the given number of seconds each: tools/fuzz/run.sh SECONDS
# Seeds are the objects and the archive of the last build; what it finds stays in build/fuzz.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-30}
PATH=$PWD/build/tools/bin:$PATH

seed() { # seed TARGET FILE…: small files only, or the fuzzer spends its time copying
    corpus=build/fuzz/corpus/$1
    mkdir -p "$corpus"
    shift
    for file in "$@"; do
        [ -f "$file" ] || continue
        [ "$(wc -c <"$file")" -le 200000 ] && cp "$file" "$corpus/"
    done
    return 0
}
seed object build/objects/*.o
seed archive build/strake.archive
seed metadata
seed push
seed lines build/cache/*.lines

for target in archive object metadata push lines; do
    artifacts=build/fuzz/found/$target/
    mkdir -p "$artifacts"
    echo "fuzz: $target for $seconds s"
    CARGO_TARGET_DIR=build/fuzz/target cargo +nightly fuzz run --fuzz-dir tools/fuzz "$target" \
        "build/fuzz/corpus/$target" -- -max_total_time="$seconds" -artifact_prefix="$artifacts" \
        -max_len=262144 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1
done
