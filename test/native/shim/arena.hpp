// Memory of exactly so many bytes, full of poison, in which an overrun does not pass unnoticed.
#pragma once

#include <cstddef>

namespace papo::shim {

/// Bytes that are NaN in every floating-point type and no plausible count.
void poison(void* data, std::size_t bytes);
/// How many of them are poison still, from the first on.
std::size_t poisoned_bytes(const void* data, std::size_t bytes);

/// `alignment` bytes aligned. Under ASan one byte beyond is an error at once; elsewhere a fence around it tells later.
char* new_arena(std::size_t bytes, std::size_t alignment = 16);
void delete_arena(char* memory);
/// False once something wrote just before or behind it.
bool fences_stand(const char* memory);

}  // namespace papo::shim
