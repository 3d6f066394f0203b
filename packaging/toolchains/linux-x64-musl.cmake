# Linux with musl (Alpine) on x86-64, with what packaging/musl/toolchain.sh makes of Debian's packages.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

set(musl "${CMAKE_CURRENT_LIST_DIR}/../../build/musl")
set(CMAKE_CXX_COMPILER "${musl}/bin/musl-g++")

set(CMAKE_CROSSCOMPILING_EMULATOR env "LD_LIBRARY_PATH=${musl}/lib"
  "LD_PRELOAD=${musl}/lib/dl-find-object.so:${musl}/lib/libgcc_s.so.1")
