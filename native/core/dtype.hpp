// Element types: their names, sizes, and the one place where a run-time dtype becomes a C++ type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace papo {

enum class DType : std::uint8_t { float32, float16, bfloat16, float64, int32 };

inline constexpr DType kAllDTypes[] = {DType::float32, DType::float16, DType::bfloat16,
                                       DType::float64, DType::int32};

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float16:
      return "float16";
    case DType::bfloat16:
      return "bfloat16";
    case DType::float64:
      return "float64";
    case DType::int32:
      return "int32";
  }
  return "?";
}

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float16:
    case DType::bfloat16:
      return 2;
    case DType::float32:
    case DType::int32:
      return 4;
    case DType::float64:
      return 8;
  }
  return 0;
}

/// Sets of dtypes as bits.
using DTypeSet = unsigned;
constexpr DTypeSet bit(DType dtype) { return 1U << static_cast<unsigned>(dtype); }
constexpr bool contains(DTypeSet set, DType dtype) { return (set & bit(dtype)) != 0; }

inline constexpr DTypeSet kLogitsDTypes =
    bit(DType::float32) | bit(DType::float16) | bit(DType::bfloat16);

/// Storage of the two 16-bit formats; arithmetic happens in float32 after a load.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

/// Calls `f` with a value of the C++ type that stores `dtype`, one of the logits' types.
template <typename F>
auto dispatch_logits(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float16:
      return f(Float16{});
    case DType::bfloat16:
      return f(BFloat16{});
    default:
      return f(float{});
  }
}

}  // namespace papo
