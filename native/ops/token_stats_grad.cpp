#include "ops/token_stats_grad.hpp"

#include <cmath>

namespace papo::token_stats_grad {
namespace {

Status check_dtype(const std::string& where, const char* name, const TensorView& grad,
                   const TensorView& logits) {
  if (!grad.present() || grad.dtype == logits.dtype || grad.dtype == DType::float32) return {};
  return expected(
      Code::dtype, where,
      std::string(name) + " to be " + name_of(logits.dtype) + " like the logits, or float32",
      name_of(grad.dtype));
}

/// Logits that a gradient will replace are not zeros.
Status check_zeroed(const std::string& where, const char* name, const TensorView& grad,
                    const TensorView& logits) {
  if (!grad.present() || grad.rows == 0 || grad.data != logits.data) return {};
  return expected(Code::argument, where,
                  std::string(name) + " in memory of its own where gradsZeroed is said",
                  "that of its logits");
}

}  // namespace

Status check_gradients(const std::string& where, const TensorView& logits,
                       const TensorView& masked_logits, const TensorView& grad_logits,
                       const TensorView& grad_masked_logits, bool grads_zeroed) {
  if (masked_logits.present() && masked_logits.dtype != logits.dtype) {
    return expected(Code::dtype, where,
                    std::string("maskedLogits to be ") + name_of(logits.dtype) + " like logits",
                    name_of(masked_logits.dtype));
  }
  if (grad_masked_logits.present() && !masked_logits.present()) {
    return expected(Code::argument, where, "maskedLogits where gradMaskedLogits is asked for",
                    "nothing");
  }
  if (grad_logits.present() && grad_masked_logits.present() &&
      grad_logits.dtype != grad_masked_logits.dtype) {
    return expected(
        Code::dtype, where, "gradLogits and gradMaskedLogits to be of one dtype",
        std::string(name_of(grad_logits.dtype)) + " and " + name_of(grad_masked_logits.dtype));
  }
  Status status = check_dtype(where, "gradLogits", grad_logits, logits);
  if (status.ok()) status = check_dtype(where, "gradMaskedLogits", grad_masked_logits, logits);
  if (status.ok() && grads_zeroed) {
    status = check_zeroed(where, "gradLogits", grad_logits, logits);
    if (status.ok()) {
      status = check_zeroed(where, "gradMaskedLogits", grad_masked_logits, masked_logits);
    }
  }
  return status;
}

Status check(const OpCall& call) {
  const std::string where = "tokenStatsGrad";
  const Params params = bind(call);
  Status status = check_gradients(where, params.logits, params.masked_logits, params.grad_logits,
                                  params.grad_masked_logits, params.grads_zeroed);
  if (status.ok()) {
    status = check_shard(where, call.attributes[kVocabOffset], call.attributes[kVocabTotal],
                         params.vocab);
  }
  if (status.ok()) status = check_mask(where, params.mask, params.rows);
  if (status.ok()) {
    status = check_token_ids(where, params.token_ids, params.mask, params.rows, params.shard.total);
  }
  for (std::size_t line = 0; status.ok() && line < kSpec.inputs[kCotangents].lines.size; ++line) {
    const char* name = kCotangentLines[line];
    const double* cotangents = params.cotangents + line * params.rows;
    const double* statistics = params.statistics + line * params.rows;
    status = check_numbers(where, name, cotangents, params.mask, params.rows, Infinite::refused);
    for (std::size_t row = 0; status.ok() && row < params.rows; ++row) {
      if (counts(params.mask, row) && cotangents[row] != 0 && std::isinf(statistics[row]) &&
          statistics[row] > 0) {
        status = expected(Code::not_finite, where,
                          "a cotangent of 0 for the " + camel_case(name) + " of row " +
                              std::to_string(row) + ", which is infinite and has no gradient",
                          show(cotangents[row]), static_cast<std::int64_t>(row));
      }
    }
  }
  return status;
}

}  // namespace papo::token_stats_grad
