// std::condition_variable, for binaries that also load where the C++ library is old.
#pragma once

#include <condition_variable>

#if defined(__GLIBCXX__) && defined(__GLIBC__)
// The only symbol by which a build with gcc 12 would ask for a newer libstdc++ (GLIBCXX_3.4.30) than systems with
// glibc 2.34 have; the one that every libstdc++ since gcc 4.4 exports does the same.
__asm__(
    ".symver _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE,"
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");
#endif
