#include <cmath>

#include "compare.hpp"
#include "math/token_lines.hpp"
#include "op_calls.hpp"
#include "stages.hpp"

namespace papo::gpu {
namespace {

/// Columns [begin, end) of a view.
TensorView columns(const TensorView& view, std::size_t begin, std::size_t end) {
  TensorView part = view;
  if (!view.present()) return part;
  part.data = static_cast<char*>(view.data) + begin * size_of(view.dtype);
  part.columns = end - begin;
  return part;
}

void try_shards(Context& context, const Case& spec, const std::vector<std::size_t>& cuts) {
  Batch batch(spec);
  prepare(batch, context.registry);
  DeviceMatrix p(batch.logits.layout(), context.device());
  DeviceMatrix q;
  p.upload(batch.logits);
  if (batch.masked_logits.present()) {
    q = DeviceMatrix(batch.masked_logits.layout(), context.device());
    q.upload(batch.masked_logits);
  }
  std::vector<RowState> merged(spec.rows);
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    std::vector<double> states;
    require(
        run(context.registry, "token_stats_partial",
            token_stats_partial_call(batch, columns(p.view(), cuts[i], cuts[i + 1]),
                                     columns(q.view(), cuts[i], cuts[i + 1]), cuts[i], states)));
    for (std::size_t row = 0; row < spec.rows; ++row) {
      merge(merged[row], load_state(states.data(), spec.rows, row));
    }
  }
  const auto inverse = static_cast<float>(1 / spec.temperature);
  double worst = 0;
  for (std::size_t row = 0; row < spec.rows; ++row) {
    if (!batch.counts(row)) continue;
    const TokenStatistics got = finish(merged[row], batch.masked_logits.present(), inverse);
    const TokenStatistics want = RowTruth(batch, row).plain_statistics();
    for (const auto& [a, b] :
         {std::pair{got.log_prob, want.log_prob},
          std::pair{got.masked_log_prob, want.masked_log_prob},
          std::pair{got.entropy, want.entropy}, std::pair{got.masked_entropy, want.masked_entropy},
          std::pair{got.kl, want.kl}, std::pair{got.reverse_kl, want.reverse_kl}}) {
      const double error = a == b ? 0 : std::fabs(a - b) / std::fmax(1, std::fabs(b));
      worst = std::fmax(worst, std::isnan(error) ? INFINITY : error);
    }
  }
  context.report.check(
      worst <= 2e-6,
      spec.name() + " in " + std::to_string(cuts.size() - 1) + " shards: token_stats_partial",
      ": " + show(worst));
}

}  // namespace

void shards(Context& context) {
  const bool tiny = context.options.extent == Extent::tiny;
  for (const DType dtype : {DType::bfloat16, DType::float32}) {
    for (const Masked masked : {Masked::logits, Masked::none}) {
      Case spec;
      spec.rows = tiny ? 3 : 17;
      spec.vocab = tiny ? 1000 : 151'936;
      spec.dtype = dtype;
      spec.masked = masked;
      spec.mask_share = 0.2;
      spec.seed = context.options.seed;
      const std::size_t v = spec.vocab;
      try_shards(context, spec, {0, v / 4 / 8 * 8, v / 2, v});
      try_shards(context, spec, {0, 1, 8, v / 3, v - 1, v});
    }
  }
}

}  // namespace papo::gpu
