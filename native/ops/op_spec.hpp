// What an op is, in words: names, shapes and dtypes of its tensors, and its attributes. No machine in sight.
#pragma once

#include <cstddef>
#include <string>

#include "core/dtype.hpp"

namespace papo {

/// A constant array and its length.
template <typename T>
struct List {
  const T* items = nullptr;
  std::size_t size = 0;

  constexpr List() = default;
  template <std::size_t N>
  constexpr List(const T (&array)[N]) : items(array), size(N) {}
  constexpr const T* begin() const { return items; }
  constexpr const T* end() const { return items + size; }
  constexpr const T& operator[](std::size_t index) const { return items[index]; }
};

/// `matrix` is [rows, vocab], `row` is [rows], `lines` is [number of names, rows].
enum class Layout { matrix, row, lines };

struct TensorSpec {
  const char* name;
  Layout layout;
  DTypeSet dtypes;
  bool required;
  List<const char*> lines = {};
};

/// A number within bounds, or one of the words in `choices` (then the value is its index).
struct AttributeSpec {
  const char* name;
  double initial = 0;
  double least = 0;
  double most = 0;
  bool least_excluded = false;
  List<const char*> choices = {};
};

/// Two lists of attributes as one, for ops that share some.
template <std::size_t N>
struct AttributeSpecs {
  AttributeSpec items[N];
};
template <std::size_t N, std::size_t M>
constexpr AttributeSpecs<N + M> joined(const AttributeSpec (&first)[N],
                                       const AttributeSpec (&second)[M]) {
  AttributeSpecs<N + M> all{};
  for (std::size_t i = 0; i < N; ++i) all.items[i] = first[i];
  for (std::size_t i = 0; i < M; ++i) all.items[N + i] = second[i];
  return all;
}

struct OpSpec {
  const char* name;
  List<TensorSpec> inputs;
  List<TensorSpec> outputs;
  List<AttributeSpec> attributes;
};

inline constexpr std::size_t kMaxTensors = 12;
inline constexpr std::size_t kMaxAttributes = 24;

/// The TypeScript word of a C++ word: `token_ids` -> `tokenIds`. The one rule of the dictionary.
inline std::string camel_case(const char* snake_case) {
  std::string result;
  bool upper = false;
  for (const char* c = snake_case; *c != '\0'; ++c) {
    if (*c == '_') {
      upper = true;
    } else {
      result += upper && *c >= 'a' && *c <= 'z' ? static_cast<char>(*c - 'a' + 'A') : *c;
      upper = false;
    }
  }
  return result;
}

inline constexpr const char* kStatisticLines[] = {
    "log_probs", "masked_log_probs", "entropy",     "masked_entropy",
    "kl",        "reverse_kl",       "log_sum_exp", "masked_log_sum_exp"};
inline constexpr const char* kCotangentLines[] = {
    "log_probs", "masked_log_probs", "entropy", "masked_entropy", "kl", "reverse_kl"};
/// The state of a row over a part of the vocabulary (RowState), in the order of `store_state`.
inline constexpr const char* kStateLines[] = {
    "reference", "masked_reference", "sum",       "masked_sum",       "dot",    "masked_dot",
    "cross",     "masked_cross",     "uncovered", "masked_uncovered", "chosen", "masked_chosen"};
inline constexpr const char* kTermLines[] = {"surrogate",      "ref_kl",
                                             "perception_kl",  "entropy",
                                             "masked_entropy", "ratio",
                                             "clip",           "grad_surrogate",
                                             "grad_ref_kl",    "grad_perception_kl",
                                             "grad_entropy",   "grad_masked_entropy"};

/// What a counted row does whose logits are no distribution: fail the call, or be marked and give 0.
inline constexpr const char* kOnInvalidChoices[] = {"error", "skip"};

}  // namespace papo
