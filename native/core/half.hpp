// float16 and bfloat16 <-> float32, one element at a time; the vector rooms have instructions for it.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/dtype.hpp"

namespace papo {

inline float bits_to_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::uint32_t float_to_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float to_float(float value) { return value; }

inline float to_float(BFloat16 value) {
  return bits_to_float(static_cast<std::uint32_t>(value.bits) << 16);
}

inline float to_float(Float16 value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = value.bits & 0x3FFU;
  if (exponent == 0x1F) return bits_to_float(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return bits_to_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
  // Subnormal: mantissa * 2^-24, exact in float32.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
}

inline void from_float(float value, float& out) { out = value; }

/// Round to nearest, ties to even; NaN stays NaN.
inline void from_float(float value, BFloat16& out) {
  const std::uint32_t bits = float_to_bits(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
    out.bits = static_cast<std::uint16_t>((bits >> 16) | 0x40U);
    return;
  }
  out.bits = static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// Round to nearest, ties to even; overflow gives infinity, NaN stays NaN.
inline void from_float(float value, Float16& out) {
  const std::uint32_t bits = float_to_bits(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t result;
  if (magnitude > 0x7F800000U) {
    result = 0x7E00U | ((magnitude >> 13) & 0x3FFU);
  } else if (magnitude >= 0x477FF000U) {
    result = 0x7C00U;
  } else if (magnitude >= 0x38800000U) {
    result = (magnitude + 0xFFFU + ((magnitude >> 13) & 1U) - 0x38000000U) >> 13;
  } else {
    // Adding 0.5 aligns the subnormal's last bit with float32's, so the addition rounds it.
    result = float_to_bits(bits_to_float(magnitude) + 0.5F) - 0x3F000000U;
  }
  out.bits = static_cast<std::uint16_t>(sign | result);
}

/// The storage pattern of -Infinity, which stands for "no such token".
template <typename T>
T negative_infinity();
template <>
inline float negative_infinity<float>() {
  return bits_to_float(0xFF800000U);
}
template <>
inline BFloat16 negative_infinity<BFloat16>() {
  return {0xFF80U};
}
template <>
inline Float16 negative_infinity<Float16>() {
  return {0xFC00U};
}

}  // namespace papo
