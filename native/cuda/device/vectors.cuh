// Logits and gradients in vectors of 16 bytes: from their bits to float32 and back.
#pragma once

#include "core/dtype.hpp"
#include "cuda/device/dev.cuh"

namespace papo::cuda {

/// Elements of a 16-byte vector, and of one of its four words.
template <typename T>
inline constexpr int kEntries = 16 / static_cast<int>(sizeof(T));
template <typename T>
inline constexpr int kWordEntries = 4 / static_cast<int>(sizeof(T));

/// One element out of a word, words out of elements, and the word that holds no token at all.
template <typename T>
struct Format;

template <>
struct Format<float> {
  static constexpr unsigned kNoTokens = 0xFF800000U;
  PAPO_DEV static float entry(unsigned word, int) { return dev::bits_to_float(word); }
  PAPO_DEV static float value(float element) { return element; }
  PAPO_DEV static float element(float value) { return value; }
};

template <>
struct Format<BFloat16> {
  static constexpr unsigned kNoTokens = 0xFF80FF80U;
  PAPO_DEV static float entry(unsigned word, int which) {
    return dev::bits_to_float(which == 0 ? word << 16 : word & 0xFFFF0000U);
  }
  PAPO_DEV static unsigned pack(float lower, float upper) { return dev::pack_bf16(lower, upper); }
  PAPO_DEV static float value(BFloat16 element) { return entry(element.bits, 0); }
  PAPO_DEV static BFloat16 element(float value) {
    return {static_cast<std::uint16_t>(pack(value, 0))};
  }
};

template <>
struct Format<Float16> {
  static constexpr unsigned kNoTokens = 0xFC00FC00U;
  PAPO_DEV static float entry(unsigned word, int which) {
    return which == 0 ? dev::lower_f16(word) : dev::upper_f16(word);
  }
  PAPO_DEV static unsigned pack(float lower, float upper) { return dev::pack_f16(lower, upper); }
  PAPO_DEV static float value(Float16 element) { return entry(element.bits, 0); }
  PAPO_DEV static Float16 element(float value) {
    return {static_cast<std::uint16_t>(pack(value, 0))};
  }
};

template <typename T>
PAPO_DEV void unpack(const uint4& vector, float (&x)[kEntries<T>]) {
  const unsigned words[4] = {vector.x, vector.y, vector.z, vector.w};
  PAPO_UNROLL
  for (int i = 0; i < kEntries<T>; ++i) {
    x[i] = Format<T>::entry(words[i / kWordEntries<T>], i % kWordEntries<T>);
  }
}

template <typename T>
PAPO_DEV uint4 pack(const float (&x)[kEntries<T>]) {
  unsigned words[4];
  PAPO_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (sizeof(T) == 4) {
      words[i] = dev::float_to_bits(x[i]);
    } else {
      words[i] = Format<T>::pack(x[2 * i], x[2 * i + 1]);
    }
  }
  return make_uint4(words[0], words[1], words[2], words[3]);
}

/// A vector in which every logit is -Infinity: what a thread without one of its own works on.
template <typename T>
PAPO_DEV uint4 no_tokens() {
  constexpr unsigned kWord = Format<T>::kNoTokens;
  return make_uint4(kWord, kWord, kWord, kWord);
}

/// The vector at `elements`, which may lie anywhere.
template <typename T>
PAPO_DEV uint4 gather_vector(const T* elements) {
  unsigned words[4];
  PAPO_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (sizeof(T) == 4) {
      words[i] = dev::float_to_bits(dev::load_element(elements + i));
    } else {
      const unsigned lower = dev::load_element(elements + 2 * i).bits;
      const unsigned upper = dev::load_element(elements + 2 * i + 1).bits;
      words[i] = lower | upper << 16;
    }
  }
  return make_uint4(words[0], words[1], words[2], words[3]);
}

/// Stores a vector at `elements`, which may lie anywhere.
template <typename T>
PAPO_DEV void scatter_vector(T* elements, const float (&x)[kEntries<T>]) {
  PAPO_UNROLL
  for (int i = 0; i < kEntries<T>; ++i) {
    dev::store_element(elements + i, Format<T>::element(x[i]));
  }
}

}  // namespace papo::cuda
