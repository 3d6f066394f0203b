#include "compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "cpu/parallel.hpp"
#include "math/token_lines.hpp"

namespace papo::gpu {
namespace {

/// Absolute, of statistics against float64: the target where logits are ordinary, what the CPU keeps elsewhere.
double tolerance_of(const Batch& batch) { return ordinary(batch.spec.logits) ? 1e-6 : 4e-6; }

/// A temperature whose reciprocal float32 cannot hold moves every z by up to half a last digit of it.
double temperature_rounding(const Batch& batch, double magnitude) {
  const double inverse = 1 / batch.spec.temperature;
  return inverse == static_cast<double>(static_cast<float>(inverse)) ? 0 : 6e-8 * magnitude;
}

/// Of a gradient, relative to the scale of its row, beside the rounding to its dtype. Where the two policies' logits
/// are a hundred or more apart, their float32 difference, which an exact KL's gradient needs, has an error of that order.
double gradient_tolerance(const Batch& batch) {
  const Logits logits = batch.spec.logits;
  const bool apart =
      logits == Logits::shifted || logits == Logits::climbing || logits == Logits::wide;
  return apart ? 4e-5 : 4e-6;
}

/// Half a last digit of a value of the dtype, relative; and the least step near 0.
double rounding(DType dtype) {
  if (dtype == DType::bfloat16) return 0x1p-8;
  return dtype == DType::float16 ? 0x1p-11 : 0x1p-24;
}
double least_step(DType dtype) { return dtype == DType::float16 ? 0x1p-24 : 0; }

/// |a - b|; 0 where they are equal, infinities included, and infinite where one is NaN.
double distance(double a, double b) {
  if (a == b) return 0;
  const double d = std::fabs(a - b);
  return std::isnan(d) ? INFINITY : d;
}

std::string at(const std::string& where, std::size_t row) {
  return where + ", row " + std::to_string(row);
}

/// The largest |got - want| beyond `relative` |want| + `least`, and the largest |want|.
struct Excess {
  double worst = 0;
  double largest = 0;
};

template <typename T, typename Want>
Excess excess_of(const T* got, std::size_t count, double relative, double least, Want&& want) {
  double worst = 0, largest = 0;
  for (std::size_t v = 0; v < count; ++v) {
    const double expected = want(v);
    const double magnitude = std::fabs(expected);
    const double over =
        distance(static_cast<double>(to_float(got[v])), expected) - (relative * magnitude + least);
    worst = over > worst ? over : worst;
    largest = magnitude > largest ? magnitude : largest;
  }
  return {worst, largest};
}

double relative_to(double worst, double largest) {
  if (worst <= 0) return 0;
  return largest > 0 ? worst / largest : INFINITY;
}

template <typename T>
void compare_row(const Batch& batch, std::size_t row, const T* got, const T* cpu,
                 const TrueGradient* truth, double least, const std::string& where,
                 Errors& errors) {
  const std::size_t vocab = batch.spec.vocab;
  constexpr DType kDType = sizeof(T) == 4               ? DType::float32
                           : std::is_same_v<T, Float16> ? DType::float16
                                                        : DType::bfloat16;
  if (!batch.counts(row)) {
    bool zero = true;
    for (std::size_t v = 0; v < vocab; ++v) zero = zero && to_float(got[v]) == 0;
    errors.exact.see(zero ? 0 : 1, 0, at(where, row) + " does not count but has a gradient");
    return;
  }
  if (std::memcmp(got, cpu, vocab * sizeof(T)) != 0) {
    const Excess over =
        excess_of(got, vocab, 2 * rounding(kDType), 2 * least_step(kDType),
                  [&](std::size_t v) { return static_cast<double>(to_float(cpu[v])); });
    errors.cpu_gradients.see(relative_to(over.worst, std::fmax(least, over.largest)),
                             2 * gradient_tolerance(batch), at(where, row));
  }
  if (truth == nullptr) return;
  const Excess over = excess_of(got, vocab, rounding(kDType), least_step(kDType),
                                [&](std::size_t v) { return (*truth->values)[v]; });
  errors.gradients.see(relative_to(over.worst, std::fmax(least, truth->largest)),
                       gradient_tolerance(batch), at(where, row));
}

/// Page-locked memory that blocks of gradients come down to, kept until the process ends.
char* landing(std::size_t bytes) {
  static std::size_t capacity = 0;
  static auto* memory = new std::shared_ptr<void>;
  if (bytes > capacity) {
    memory->reset();
    require(cuda::allocate_pinned("papo_gpu", bytes, *memory));
    capacity = bytes;
  }
  return static_cast<char*>(memory->get());
}

}  // namespace

void Worst::see(double error, double tolerance, const std::string& where) {
  double share = tolerance > 0 ? error / tolerance : (error > 0 ? INFINITY : 0);
  if (std::isnan(share)) share = INFINITY;
  if (share <= of_tolerance_ && (share != 0 || error <= error_)) return;
  error_ = error;
  of_tolerance_ = share;
  where_ = where;
}

void Worst::see(const Worst& other) {
  if (other.of_tolerance_ > of_tolerance_) *this = other;
}

void Errors::see(const Errors& other) {
  log_probs.see(other.log_probs);
  entropies.see(other.entropies);
  kls.see(other.kls);
  log_sums.see(other.log_sums);
  gradients.see(other.gradients);
  cpu_statistics.see(other.cpu_statistics);
  cpu_terms.see(other.cpu_terms);
  cpu_gradients.see(other.cpu_gradients);
  exact.see(other.exact);
}

bool Errors::failed() const {
  for (const Worst* each : {&log_probs, &entropies, &kls, &log_sums, &gradients, &cpu_statistics,
                            &cpu_terms, &cpu_gradients, &exact}) {
    if (each->failed()) return true;
  }
  return false;
}

std::string Errors::worst() const {
  std::string text;
  const auto add = [&](const char* what, const Worst& each) {
    if (!each.failed()) return;
    text += "\n    " + std::string(what) + ": " + show(each.error()) + ", " +
            show(each.of_tolerance()) + " times the tolerance, at " + each.where();
  };
  add("log-probs against float64", log_probs);
  add("entropies against float64", entropies);
  add("KLs against float64", kls);
  add("log-sum-exps against float64", log_sums);
  add("gradients against float64", gradients);
  add("statistics against the CPU", cpu_statistics);
  add("terms against the CPU", cpu_terms);
  add("gradients against the CPU", cpu_gradients);
  add("exact", exact);
  return text;
}

void compare_statistics(const Batch& batch, const std::vector<double>& got,
                        const std::vector<double>& cpu, const std::vector<RowTruth>& truths,
                        bool plain, const std::string& where, Errors& errors) {
  const double tolerance = tolerance_of(batch);
  const auto scaled = [&](double want) {
    const double magnitude = std::isfinite(want) ? std::fabs(want) : 0;
    return tolerance * std::fmax(1, magnitude) + temperature_rounding(batch, magnitude);
  };
  const std::size_t rows = batch.rows();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t line = 0; line < kStatisticCount; ++line) {
      const double a = got[line * rows + row], b = cpu[line * rows + row];
      if (!batch.counts(row)) {
        errors.exact.see(a == 0 ? 0 : 1, 0, at(where, row) + " does not count: statistics");
      } else {
        errors.cpu_statistics.see(distance(a, b), 2 * scaled(b),
                                  at(where, row) + " " + kStatisticLines[line]);
      }
    }
  }
  for (const RowTruth& truth : truths) {
    const TokenStatistics mine = load_statistics(got.data(), rows, truth.row());
    const TokenStatistics& want = plain ? truth.plain_statistics() : truth.statistics();
    const std::string place = at(where, truth.row());
    const auto see = [&](Worst& worst, double a, double b, double allowed) {
      worst.see(distance(a, b), allowed, place);
    };
    // Log-probs are held to an absolute error, however small the probability.
    const double spread = temperature_rounding(batch, 32);
    see(errors.log_probs, mine.log_prob, want.log_prob, tolerance + spread);
    see(errors.log_probs, mine.masked_log_prob, want.masked_log_prob, tolerance + spread);
    see(errors.entropies, mine.entropy, want.entropy, tolerance + spread);
    see(errors.entropies, mine.masked_entropy, want.masked_entropy, tolerance + spread);
    see(errors.kls, mine.kl, want.kl, scaled(want.kl) + spread);
    see(errors.kls, mine.reverse_kl, want.reverse_kl, scaled(want.reverse_kl) + spread);
    see(errors.log_sums, mine.log_sum_exp, want.log_sum_exp, scaled(want.log_sum_exp));
    see(errors.log_sums, mine.masked_log_sum_exp, want.masked_log_sum_exp,
        scaled(want.masked_log_sum_exp));
  }
}

void compare_terms(const Batch& batch, const std::vector<double>& got,
                   const std::vector<double>& cpu, const std::string& where, Errors& errors) {
  const std::size_t rows = batch.rows();
  for (std::size_t line = 0; line < kTermCount; ++line) {
    for (std::size_t row = 0; row < rows; ++row) {
      const double a = got[line * rows + row], b = cpu[line * rows + row];
      if (!batch.counts(row)) {
        errors.exact.see(a == 0 ? 0 : 1, 0, at(where, row) + " does not count: terms");
      } else {
        const double magnitude = std::isfinite(b) ? std::fabs(b) : 0;
        errors.cpu_terms.see(distance(a, b), 2e-5 * std::fmax(1, magnitude),
                             at(where, row) + " " + kTermLines[line]);
      }
    }
  }
}

double least_scale(const TokenCotangents& c, double temperature) {
  return (std::fabs(c.log_prob) + std::fabs(c.masked_log_prob) + std::fabs(c.entropy) +
          std::fabs(c.masked_entropy) + std::fabs(c.kl) + std::fabs(c.reverse_kl)) /
         temperature / 4;
}

void compare_gradient(const Batch& batch, const DeviceMatrix& got, const WantedGradient& wanted,
                      const std::string& where, Errors& errors) {
  const std::vector<TrueGradient>& truths = wanted.truths;
  const Layout2D& layout = got.layout();
  const std::size_t size = size_of(layout.dtype);
  std::vector<char> guard(size), end(std::max(layout.skew, kTail) * size);
  store(kGuard, layout.dtype, guard.data(), 0);
  const auto guarded = [&](const char* from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (std::memcmp(from + i * size, guard.data(), size) != 0) return false;
    }
    return true;
  };
  got.download(0, layout.skew, end.data());
  errors.exact.see(guarded(end.data(), layout.skew) ? 0 : 1, 0, where + ": written before row 0");
  got.download(layout.skew + layout.rows * layout.pitch(), kTail, end.data());
  errors.exact.see(guarded(end.data(), kTail) ? 0 : 1, 0, where + ": written behind the last row");

  const std::size_t row_bytes = layout.pitch() * size;
  const std::size_t per_block =
      std::max<std::size_t>(1, std::min(layout.rows, (std::size_t{64} << 20) / row_bytes));
  char* block = landing(per_block * row_bytes);
  std::mutex mutex;
  for (std::size_t first = 0; first < layout.rows; first += per_block) {
    const std::size_t count = std::min(per_block, layout.rows - first);
    got.download(layout.skew + first * layout.pitch(), count * layout.pitch(), block);
    require(cpu::for_rows(count, 4, {}, [&](std::size_t begin, std::size_t finish) {
      Errors mine;
      for (std::size_t i = begin; i < finish; ++i) {
        const std::size_t row = first + i;
        const char* data = block + i * row_bytes;
        mine.exact.see(guarded(data + layout.columns * size, layout.padding) ? 0 : 1, 0,
                       at(where, row) + ": written between rows");
        const auto truth = std::find_if(truths.begin(), truths.end(),
                                        [&](const TrueGradient& each) { return each.row == row; });
        const TrueGradient* known = truth == truths.end() ? nullptr : &*truth;
        dispatch_logits(layout.dtype, [&](auto tag) {
          using T = decltype(tag);
          compare_row(batch, row, reinterpret_cast<const T*>(data), wanted.cpu.row<T>(row), known,
                      wanted.least_scale.empty() ? 0 : wanted.least_scale[row], where, mine);
        });
      }
      const std::lock_guard<std::mutex> lock(mutex);
      errors.see(mine);
      return Status();
    }));
  }
}

}  // namespace papo::gpu
