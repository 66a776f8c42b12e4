#!/bin/sh
# Stands between cargo and rustc: what swarm reads others' bytes with is compiled so that libFuzzer
# sees the way they take. All else, the compiler of guests above all, runs at full speed. These
# flags are stable ones; cargo-fuzz gives its own, and then there is nothing to add.
case " $* " in
*sancov-module*) ;;
*" --crate-name swarm_"*" --crate-type lib "* | \
*" --crate-name capnp "* | *" --crate-name capnp_futures "* | *" --crate-name capnp_rpc "* | \
*" --crate-name httparse "* | *" --crate-name hyper "* | *" --crate-name postcard "* | \
*" --crate-name redb "*)
    set -- "$@" --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$@"
