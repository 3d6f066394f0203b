// What came from the device against the CPU engine (every row) and the float64 truth (sampled rows), with tolerances.
#pragma once

#include <string>
#include <vector>

#include "batch.hpp"
#include "truth.hpp"

namespace papo::gpu {

/// The largest of some errors, each as a multiple of what is tolerated; above 1 is a failure.
class Worst {
 public:
  void see(double error, double tolerance, const std::string& where);
  void see(const Worst& other);
  double error() const { return error_; }
  double of_tolerance() const { return of_tolerance_; }
  const std::string& where() const { return where_; }
  bool failed() const { return !(of_tolerance_ <= 1); }

 private:
  double error_ = 0;
  double of_tolerance_ = 0;
  std::string where_;
};

/// Of one run, or of all: named after what is compared.
struct Errors {
  Worst log_probs, entropies, kls, log_sums;  ///< absolute, against float64
  Worst gradients;  ///< of the row's scale, against float64, less the rounding
  Worst cpu_statistics, cpu_terms, cpu_gradients;
  Worst exact;  ///< what must be equal to the bit: zeros of rows that do not count, guards, flags

  void see(const Errors& other);
  bool failed() const;
  std::string worst() const;
};

/// [8, rows] lines of the device.
void compare_statistics(const Batch& batch, const std::vector<double>& got,
                        const std::vector<double>& cpu, const std::vector<RowTruth>& truths,
                        bool plain, const std::string& where, Errors& errors);

/// [12, rows] lines of the device against those of the CPU.
void compare_terms(const Batch& batch, const std::vector<double>& got,
                   const std::vector<double>& cpu, const std::string& where, Errors& errors);

/// The truth of one policy's gradient in a sampled row.
struct TrueGradient {
  std::size_t row;
  const std::vector<double>* values;
  double largest;  ///< of both policies
};

/// What one gradient is held against.
struct WantedGradient {
  TensorView cpu;
  std::vector<TrueGradient> truths;
  /// [rows] or empty: errors are relative to the row's largest gradient, or to this where that is less.
  std::vector<double> least_scale;
};

/// Least scale of a row's gradients, so that a millionth of the cotangents is always tolerated: where all gradients
/// nearly vanish (a token of probability near 1), what is left hangs on the last digits of the log-prob.
double least_scale(const TokenCotangents& cotangents, double temperature);

/// One gradient, block by block from the device; its gaps must still hold `kGuard`.
void compare_gradient(const Batch& batch, const DeviceMatrix& got, const WantedGradient& wanted,
                      const std::string& where, Errors& errors);

}  // namespace papo::gpu
