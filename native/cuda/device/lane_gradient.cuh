// The walk up the vocabulary, one thread's part: vectors of logits and a row's coefficients -> vectors of gradients.
//
//   grad = e_p (constant + own t_p + cross (t_p - t_q)) + other e_q      and the same for the masked policy,
// see math/row_gradient.hpp. Logits are held above a bound where e is 0, so that -Infinity needs no further care.
// The chosen token's exact value comes afterwards, from the thread that wrote the approximate one.
#pragma once

#include "cuda/device/lane_statistics.cuh"
#include "cuda/device/row_cut.cuh"
#include "math/row_gradient.hpp"

namespace papo::cuda {

/// What the walk up needs to know of a row.
struct GradientNumbers {
  float reference_p, reference_q;
  float constant_p, own_p, cross_p, other_p;
  float constant_q, own_q, cross_q, other_q;
  float chosen_p, chosen_q;
  unsigned form;
};
/// Bits of `form`.
enum : unsigned {
  kClears = 1,     ///< the row failed: zeros
  kUsesBoth = 2,   ///< some gradient needs the other policy's logits
  kPossibleP = 4,  ///< the chosen token is possible, so its value is the exact one
  kPossibleQ = 8
};
static_assert(sizeof(GradientNumbers) <= BlockLayout::kRefinementNumbers, "they lie side by side");

/// `possible` is kPossibleP, kPossibleQ, both or none.
PAPO_DEV GradientNumbers gradient_numbers(const RowGradient& gradient, float reference_p,
                                          float reference_q, bool writes_masked,
                                          unsigned possible) {
  GradientNumbers numbers;
  numbers.reference_p = reference_p;
  numbers.reference_q = reference_q;
  numbers.constant_p = static_cast<float>(gradient.p_constant);
  numbers.own_p = static_cast<float>(gradient.p_own);
  numbers.cross_p = static_cast<float>(gradient.p_cross);
  numbers.other_p = static_cast<float>(gradient.p_other);
  numbers.constant_q = static_cast<float>(gradient.q_constant);
  numbers.own_q = static_cast<float>(gradient.q_own);
  numbers.cross_q = static_cast<float>(gradient.q_cross);
  numbers.other_q = static_cast<float>(gradient.q_other);
  numbers.chosen_p = static_cast<float>(gradient.chosen_p);
  numbers.chosen_q = static_cast<float>(gradient.chosen_q);
  const bool both = writes_masked || gradient.p_cross != 0 || gradient.p_other != 0;
  numbers.form = (both ? kUsesBoth : 0U) | possible;
  return numbers;
}

/// Logits are held above this: e^t is 0 there, and 0 times what is made of it is 0 and not NaN. So far down that
/// the difference of two finite logits stays what it is, and below all logits of a row that lies down there itself.
PAPO_DEV float least_logit(float reference, float scale) {
  return fmaxf(fminf(-1e20F, 2 * (reference / scale)), kNoReference);
}

/// Coefficients as the lanes use them.
struct LaneGradient {
  float scale, shift;
  float least_p, least_q;
  float minus_p, minus_q;
  GradientNumbers at;

  PAPO_DEV LaneGradient(const GradientNumbers& numbers, float scale_of_logits)
      : scale(scale_of_logits),
        shift(numbers.reference_q - numbers.reference_p),
        least_p(least_logit(numbers.reference_p, scale_of_logits)),
        least_q(least_logit(numbers.reference_q, scale_of_logits)),
        minus_p(-numbers.reference_p),
        minus_q(-numbers.reference_q),
        at(numbers) {}

  /// The gradient of the policy's logit where no gradient needs the masked one.
  PAPO_DEV float alone(float x) const {
    const float t = fmaf(fmaxf(x, least_p), scale, minus_p);
    return exponential_of(t) * fmaf(at.own_p, t, at.constant_p);
  }

  PAPO_DEV void both(float x_p, float x_q, float& grad_p, float& grad_q) const {
    x_p = fmaxf(x_p, least_p);
    x_q = fmaxf(x_q, least_q);
    const float t_p = fmaf(x_p, scale, minus_p);
    const float t_q = fmaf(x_q, scale, minus_q);
    // From the logits' own difference, exact when they are close; t_p - t_q would carry both roundings.
    const float difference = fmaf(x_p - x_q, scale, shift);
    const float e_p = exponential_of(t_p);
    const float e_q = exponential_of(t_q);
    const float inner_p = fmaf(at.cross_p, difference, fmaf(at.own_p, t_p, at.constant_p));
    const float inner_q = fmaf(at.cross_q, difference, fmaf(at.own_q, t_q, at.constant_q));
    grad_p = fmaf(e_p, inner_p, at.other_p * e_q);
    grad_q = fmaf(e_q, inner_q, at.other_q * e_p);
  }
};

/// One row of a gradient: of the logits' type, or float32 (`wide`). Null if it is not asked for.
struct GradientRow {
  char* data;
  bool wide;
  bool whole;  ///< its vectors begin at multiples of 16 bytes, as the logits' do
  bool accumulate;
};

template <typename T>
PAPO_DEV GradientRow gradient_row(void* gradient, DType dtype, std::int64_t pitch, std::int64_t row,
                                  const RowCut& cut, bool accumulate) {
  const bool wide = sizeof(T) == 2 && dtype == DType::float32;
  const int size = wide ? 4 : static_cast<int>(sizeof(T));
  GradientRow result = {nullptr, wide, false, accumulate};
  if (gradient == nullptr) return result;
  result.data = static_cast<char*>(gradient) + row * pitch * size;
  result.whole = (reinterpret_cast<std::uintptr_t>(result.data) +
                  static_cast<std::uintptr_t>(cut.head * size)) %
                     16 ==
                 0;
  return result;
}

template <typename G, int kCount>
PAPO_DEV void store_as(const GradientRow& to, int column, const float (&x)[kCount]) {
  G* at = reinterpret_cast<G*>(to.data) + column;
  PAPO_UNROLL
  for (int first = 0; first < kCount; first += kEntries<G>) {
    float y[kEntries<G>];
    PAPO_UNROLL
    for (int i = 0; i < kEntries<G>; ++i) y[i] = x[first + i];
    if (to.accumulate) {
      float before[kEntries<G>];
      unpack<G>(to.whole ? dev::load_vector_last(at + first) : gather_vector(at + first), before);
      PAPO_UNROLL
      for (int i = 0; i < kEntries<G>; ++i) y[i] += before[i];
    }
    if (to.whole) {
      dev::store_vector_streaming(at + first, pack<G>(y));
    } else {
      scatter_vector(at + first, y);
    }
  }
}

/// Stores the gradients of a vector of logits that begins at `column`.
template <typename T>
PAPO_DEV void store_group(const GradientRow& to, int column, const float (&x)[kEntries<T>]) {
  if (sizeof(T) == 2 && to.wide) {
    store_as<float>(to, column, x);
  } else {
    store_as<T>(to, column, x);
  }
}

/// What an accumulating walk finds at `column`; 0 for others.
template <typename T>
PAPO_DEV float load_before(const GradientRow& to, int column) {
  if (!to.accumulate || to.data == nullptr) return 0;
  if (sizeof(T) == 2 && to.wide) {
    return dev::load_element(reinterpret_cast<const float*>(to.data) + column);
  }
  return Format<T>::value(dev::load_element(reinterpret_cast<const T*>(to.data) + column));
}

/// Stores one column's gradient; what was before is in `x` already.
template <typename T>
PAPO_DEV void store_entry(const GradientRow& to, int column, float x) {
  if (to.data == nullptr) return;
  if (sizeof(T) == 2 && to.wide) {
    dev::store_element(reinterpret_cast<float*>(to.data) + column, x);
  } else {
    dev::store_element(reinterpret_cast<T*>(to.data) + column, Format<T>::element(x));
  }
}

/// Zeros in this thread's part of a row, unless it accumulates.
template <typename T>
PAPO_DEV void clear_gradient(const GradientRow& to, const RowCut& cut, const Slice& slice,
                             int edge) {
  if (to.data == nullptr || to.accumulate) return;
  const float zeros[kEntries<T>] = {};
  for (int i = slice.begin + static_cast<int>(dev::thread_index()); i < slice.end; i += kThreads) {
    store_group<T>(to, cut.head + i * kEntries<T>, zeros);
  }
  if (edge >= 0) store_entry<T>(to, edge, 0);
}

}  // namespace papo::cuda
