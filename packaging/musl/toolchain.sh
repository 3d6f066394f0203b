#!/usr/bin/env bash
# A C++ compiler for musl out of Debian's packages, into build/musl: g++-12 with the headers of musl-tools, and a
# libstdc++ from the sources in gcc-12-source, since Debian has none for musl. Made once, in about 80 seconds of a core.
# What it links asks for libstdc++.so.6 and libgcc_s.so.1 by name; a system with musl brings its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$PWD/build/musl
here=$PWD/packaging/musl
musl=/usr/include/x86_64-linux-musl
version=$(g++-12 -dumpfullversion)
stamp="$version $(cat "$here"/*.sh "$here"/*.c | sha256sum)"
if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

echo "musl: a libstdc++ from /usr/src/gcc-12 into build/musl"
rm -rf "$out"
mkdir -p "$out/bin" "$out/lib" "$out/source" "$out/objects"
log=$out/log
trap 'status=$?; [ $status = 0 ] || { tail -20 "$log"; echo "musl: failed, see $log"; } >&2' EXIT

# musl's own specs say `libgcc_eh.a`, which Debian compiled for glibc: its libgcc_s stands for musl's while linking. Nor do
# they ask for the table of frames, without which an exception finds no handler and ends the process.
cp /lib/x86_64-linux-gnu/libgcc_s.so.1 "$out/lib/"
sed -e "s|^libgcc.a%s .*|libgcc.a%s --as-needed $out/lib/libgcc_s.so.1 --no-as-needed|" \
  -e 's|^-dynamic-linker |--allow-shlib-undefined --eh-frame-hdr &|' \
  /usr/lib/x86_64-linux-musl/musl-gcc.specs >"$out/specs"

# compiler NAME PROGRAM INCLUDES: a wrapper that knows no headers but these, musl's and the compiler's.
compiler() {
  {
    echo '#!/bin/sh'
    echo "exec $2 -nostdinc $3 -isystem $musl -isystem $($2 -print-file-name=include) \"\$@\" -specs $out/specs"
  } >"$out/bin/$1"
  chmod +x "$out/bin/$1"
}
compiler musl-gcc gcc-12 ''
compiler musl-c++ g++-12 ''
compiler musl-g++ g++-12 \
  "-isystem $out/include/c++/$version -isystem $out/include/c++/$version/x86_64-linux-musl -L$out/lib"

tar xf /usr/src/gcc-12/gcc-*.tar.xz -C "$out/source" --strip-components 1 \
  --exclude 'gcc-*/gcc/[a-z]*' --exclude 'gcc-*/lib[!bgis]*' --exclude 'gcc-*/libg[!c]*' --exclude '*/testsuite/*/*'
# configure looks for the header that GCC's own build would have made here.
ln -s gthr-posix.h "$out/source/libgcc/gthr-default.h"
cd "$out/objects"
../source/libstdc++-v3/configure --build=x86_64-linux-gnu --host=x86_64-linux-musl --prefix="$out" \
  --disable-multilib --disable-nls --disable-libstdcxx-pch \
  CC="$out/bin/musl-gcc" CXX="$out/bin/musl-c++" CFLAGS=-O1 CXXFLAGS=-O1 >>"$log" 2>&1
make -j"$(nproc)" >>"$log" 2>&1
make install >>"$log" 2>&1
cd "$out"
grep -q '^#define _GLIBCXX_HAS_GTHREADS' "include/c++/$version/x86_64-linux-musl/bits/c++config.h"

# For tests on this machine: Debian's libgcc_s runs on musl, but for one function of glibc's.
bin/musl-gcc -shared -fPIC -O1 -o lib/dl-find-object.so "$here/dl-find-object.c" >>"$log" 2>&1
ln -sf /lib/ld-musl-x86_64.so.1 lib/libc.musl-x86_64.so.1
rm -rf source objects
echo "$stamp" >stamp
