#include "tall.hpp"

#include <algorithm>

namespace papo::gpu {
namespace {

/// Rows that differ from each other.
constexpr std::size_t kDifferentRows = 61;

/// `lines` lines of `from` numbers each become lines of `to`, by repetition.
template <typename T>
void repeat(std::vector<T>& values, std::size_t lines, std::size_t from, std::size_t to) {
  if (values.empty()) return;
  std::vector<T> longer;
  longer.reserve(lines * to);
  for (std::size_t line = 0; line < lines; ++line) {
    for (std::size_t row = 0; row < to; ++row) longer.push_back(values[line * from + row % from]);
  }
  values = std::move(longer);
}

/// The first rows from the host; then the device doubles what it has.
DeviceMatrix repeated(const HostMatrix& first, std::size_t rows, int device) {
  Layout2D layout = first.layout();
  const std::size_t known = layout.rows;
  layout.rows = rows;
  DeviceMatrix matrix(layout, device);
  const TensorView view = matrix.view();
  const std::size_t row_bytes = layout.pitch() * size_of(layout.dtype);
  const auto at = [&](std::size_t row) { return static_cast<char*>(view.data) + row * row_bytes; };
  const auto copy = [&](void* from, Device where, std::size_t to, std::size_t count) {
    const std::size_t bytes = count * row_bytes;
    require(cuda::copy("papo_gpu", {from, where, bytes}, {at(to), view.device, bytes}, 1, bytes,
                       nullptr));
  };
  copy(first.view().data, {}, 0, std::min(known, rows));
  for (std::size_t done = known; done < rows;) {
    const std::size_t count = std::min(done, rows - done);
    copy(at(0), view.device, done, count);
    done += count;
  }
  return matrix;
}

}  // namespace

Batch tall_batch(const Case& spec, const Registry& registry) {
  Case few = spec;
  few.rows = std::min(spec.rows, kDifferentRows);
  Batch batch(few);
  prepare(batch, registry);
  repeat(batch.token_ids, 1, few.rows, spec.rows);
  repeat(batch.mask, 1, few.rows, spec.rows);
  for (std::vector<double>* each :
       {&batch.masked_log_probs, &batch.old_log_probs, &batch.ref_log_probs, &batch.advantages,
        &batch.weights, &batch.entropy_weights}) {
    repeat(*each, 1, few.rows, spec.rows);
  }
  repeat(batch.statistics, kStatisticCount, few.rows, spec.rows);
  repeat(batch.cotangents, kCotangentCount, few.rows, spec.rows);
  batch.spec.rows = spec.rows;
  return batch;
}

std::vector<Buffers> rotating_buffers(const Batch& batch, int device, std::size_t l2_bytes,
                                      std::size_t most_bytes, std::size_t most_sets) {
  const std::size_t set_bytes = 4 * batch.spec.tensor_bytes();
  const std::size_t wanted = 8 * l2_bytes / std::max<std::size_t>(set_bytes, 1) + 2;
  const std::size_t count =
      std::clamp<std::size_t>(std::min(wanted, most_bytes / set_bytes), 1, most_sets);
  std::vector<Buffers> sets(count);
  for (Buffers& set : sets) {
    set.p = repeated(batch.logits, batch.rows(), device);
    set.q = repeated(batch.masked_logits, batch.rows(), device);
    set.grad_p = DeviceMatrix(batch.grad_layout(true), device);
    set.grad_q = DeviceMatrix(batch.grad_layout(false), device);
    // Written once, so that no page is touched for the first time in a timing.
    set.grad_p.fill(0);
    set.grad_q.fill(0);
  }
  return sets;
}

}  // namespace papo::gpu
