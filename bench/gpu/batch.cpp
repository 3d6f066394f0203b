#include "batch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "cpu/parallel.hpp"
#include "math/token_lines.hpp"
#include "op_calls.hpp"

namespace papo::gpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
/// Rows are copies of this many different ones, each stamped so that no two are equal: making them is cheap.
constexpr std::size_t kDistinctRows = 61;
/// On every side of the clips at 0.8, 1.3 and 3, and never near one: which clip fires must not hang on a last digit.
constexpr double kLogRatios[] = {-0.5, -0.1, 0.05, 0.2, 0.4, 1.3};

/// About a standard normal: four 16-bit uniforms of one draw.
float bell(std::uint64_t bits) {
  const auto part = [&](unsigned at) { return static_cast<float>((bits >> at) & 0xFFFF); };
  return (part(0) + part(16) + part(32) + part(48) - 131070.0F) * (1.0F / 37837.0F);
}

struct Pair {
  float p, q;
};

/// The logits of one column, before they are rounded to the dtype.
Pair logit(Logits kind, std::uint64_t seed, std::size_t row, std::size_t column,
           std::size_t vocab) {
  const std::uint64_t bits = mixed(seed, row * 2, column);
  const std::uint64_t other = mixed(seed, row * 2 + 1, column);
  const float x = bell(bits), y = bell(other);
  const bool last = column + 1 == vocab;
  switch (kind) {
    case Logits::trained: {
      const bool peak = column == mixed(seed, 77, row) % vocab;
      return peak ? Pair{14, 13} : Pair{2 * x, 2 * x + 0.5F * y};
    }
    case Logits::normal:
      return {4 * x, 4 * y};
    case Logits::near:
      return {3 * x, 3 * x + 0.001F * y};
    case Logits::equal:
      return {3 * x, 3 * x};
    case Logits::flat:
      return {1.5F, -2.25F};
    case Logits::peaked:
      return {column == vocab / 3 ? 60 : x, y};
    case Logits::shifted:
      return {2 * x - 300, 2 * x + 0.5F * y + 300};
    case Logits::climbing:
      return {static_cast<float>(column) * 0.02F, 90 - static_cast<float>(column) * 0.02F};
    case Logits::holes: {
      const bool hole = (column < vocab / 3 || column % 7 == 3) && !last;
      return hole ? Pair{-kInf, -kInf} : Pair{2 * x, 2 * x + y};
    }
    case Logits::wide:
      return {30 * x, 30 * y};
    case Logits::edges:
      return {column == 0 ? 30 + x : x, last ? 30 + y : y};
  }
  return {0, 0};
}

void fill_logits(Batch& batch) {
  const Case& spec = batch.spec;
  const std::size_t distinct = std::min(spec.rows, kDistinctRows);
  const bool masked = batch.masked_logits.present();
  const TensorView p = batch.logits.view();
  const TensorView q = batch.masked_logits.view();
  const std::size_t size = size_of(spec.dtype);
  const auto at = [&](const TensorView& view, std::size_t row) {
    return static_cast<char*>(view.data) + row * view.row_pitch * size;
  };
  require(cpu::for_rows(distinct, 1, {}, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t column = 0; column < spec.vocab; ++column) {
        const Pair pair = logit(spec.logits, spec.seed, row, column, spec.vocab);
        store(pair.p, spec.dtype, at(p, row), column);
        if (masked) store(pair.q, spec.dtype, at(q, row), column);
      }
    }
    return Status();
  }));
  require(cpu::for_rows(spec.rows - distinct, 16, {}, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin + distinct; row < end + distinct; ++row) {
      std::memcpy(at(p, row), at(p, row % distinct), spec.vocab * size);
      if (masked) std::memcpy(at(q, row), at(q, row % distinct), spec.vocab * size);
    }
    return Status();
  }));
  for (std::size_t row = distinct; row < spec.rows; ++row) {
    const std::size_t column = mixed(spec.seed, 11, row) % spec.vocab;
    const auto stamp = static_cast<float>(row % 1021) * (1.0F / 128);
    store(stamp, spec.dtype, at(p, row), column);
    if (masked) store(stamp + 0.5F, spec.dtype, at(q, row), column);
  }
}

/// A token that both policies hold possible: the drawn column, or the next one that is.
std::int32_t drawn_token(const Batch& batch, std::size_t row) {
  const std::size_t vocab = batch.spec.vocab;
  const std::uint64_t bits = mixed(batch.spec.seed, 13, row);
  // Every other row has its likeliest token, as sampled ones mostly are; ends of rows are drawn often.
  std::size_t column =
      row % 2 == 0 ? mixed(batch.spec.seed, 77, row % kDistinctRows) % vocab : (bits >> 8) % vocab;
  if (bits % 8 == 0) column = 0;
  if (bits % 8 == 1) column = vocab - 1;
  const auto possible = [&](const HostMatrix& matrix) {
    return !matrix.present() || element(matrix.view(), row, column) > -kInf;
  };
  while (!possible(batch.logits) || !possible(batch.masked_logits)) column = (column + 1) % vocab;
  return static_cast<std::int32_t>(column);
}

}  // namespace

std::uint64_t mixed(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + a * 0xD1B54A32D192ED03ULL + b;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

double signed_unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-52 - 1; }

Batch::Batch(const Case& of) : spec(of) {
  const Placement& place = spec.placement;
  logits = HostMatrix({spec.rows, spec.vocab, place.padding, place.skew, spec.dtype});
  logits.fill_gaps(std::numeric_limits<float>::quiet_NaN());
  if (spec.masked == Masked::logits) {
    masked_logits =
        HostMatrix({spec.rows, spec.vocab, place.masked_padding, place.masked_skew, spec.dtype});
    masked_logits.fill_gaps(std::numeric_limits<float>::quiet_NaN());
  }
  fill_logits(*this);
  for (std::size_t row = 0; row < spec.rows; ++row) {
    token_ids.push_back(drawn_token(*this, row));
    const auto draw = [&](std::uint64_t what) {
      return signed_unit(mixed(spec.seed, 100 + what, row));
    };
    if (spec.mask_share >= 0) mask.push_back(0.5 * (draw(0) + 1) < spec.mask_share ? 0 : 1);
    advantages.push_back(2 * draw(1));
    weights.push_back(1 + 0.5 * draw(2));
    entropy_weights.push_back(1 + 0.5 * draw(3));
    if (spec.masked == Masked::log_probs) masked_log_probs.push_back(-5 + 4 * draw(4));
  }
  for (std::size_t i = 0; i < spec.rows * kCotangentCount; ++i) {
    cotangents.push_back(signed_unit(mixed(spec.seed, 200, i)));
  }
}

Layout2D Batch::grad_layout(bool of_p) const {
  const Placement& place = spec.placement;
  const DType dtype = spec.float32_gradients ? DType::float32 : spec.dtype;
  return {spec.rows, spec.vocab, place.grad_padding, of_p ? place.grad_skew : 0, dtype};
}

ObjectiveParams Batch::objective() const {
  ObjectiveParams params;
  params.clip = {0.2, 0.3, 3};
  params.ref_kl_coef = 0.01;
  params.perception_kl_coef = spec.masked == Masked::none ? 0 : 0.02;
  params.entropy_coef = 0.03;
  params.masked_entropy_coef = spec.masked == Masked::none ? 0 : 0.03;
  // Constants have no vocabulary to be exact over.
  if (spec.objective == Objective::exact && spec.masked != Masked::log_probs) {
    params.perception_kl_estimator = KlEstimator::exact;
    params.entropy_estimator = EntropyEstimator::exact;
    params.masked_differentiable = spec.masked == Masked::logits;
  }
  return params;
}

TokenInputs Batch::token_inputs(std::size_t row) const {
  TokenInputs token;
  token.has_old = token.has_ref = true;
  token.has_masked = spec.masked != Masked::none;
  token.old_log_prob = old_log_probs[row];
  token.ref_log_prob = ref_log_probs[row];
  token.advantage = advantages[row];
  token.weight = weights[row];
  token.perception_weight = weights[row];
  token.entropy_weight = entropy_weights[row];
  return token;
}

TokenCotangents Batch::cotangents_of(std::size_t row) const {
  return load_cotangents(cotangents.data(), spec.rows, row);
}

void prepare(Batch& batch, const Registry& registry) {
  batch.statistics.assign(kStatisticCount * batch.rows(), 0);
  StatsOutputs outputs;
  outputs.statistics = &batch.statistics;
  require(run(registry, "token_stats",
              token_stats_call(batch, batch.logits.view(), batch.masked_logits.view(), outputs)));
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    const double log_prob = batch.statistics[row];
    const std::uint64_t bits = mixed(batch.spec.seed, 300, row);
    const double log_ratio = kLogRatios[bits % std::size(kLogRatios)];
    batch.old_log_probs.push_back(log_prob - log_ratio * (1 + 0.05 * signed_unit(bits)));
    batch.ref_log_probs.push_back(log_prob + 0.2 * signed_unit(mixed(batch.spec.seed, 301, row)));
    // A KL and a log-prob that are infinite have no cotangent; a masked policy that is not there has none either.
    for (std::size_t line = 0; line < kCotangentCount; ++line) {
      const bool of_masked = line == 1 || line >= 3;
      const bool there = batch.spec.masked == Masked::logits || !of_masked;
      if (!there || std::isinf(batch.statistics[line * batch.rows() + row])) {
        batch.cotangents[line * batch.rows() + row] = 0;
      }
    }
  }
}

}  // namespace papo::gpu
