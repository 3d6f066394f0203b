#include "cuda/staged_call.hpp"

#include <algorithm>
#include <cstring>

#include "cuda/backend.hpp"
#include "cuda/check.hpp"
#include "cuda/copy.hpp"
#include "cuda/device_guard.hpp"
#include "cuda/wait.hpp"
#include "ops/row_checks.hpp"

namespace papo::cuda {
namespace {

/// Of every array in the block: that of device memory itself.
constexpr std::size_t kAlignment = 256;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

int device_of(const OpCall& call) { return call.inputs[0].device.index; }

/// The kernels' word for the first row that failed, in the sentences of the CPU.
Status row_failure(const std::string& where, unsigned long long row_error, std::size_t begin) {
  if (row_error == kNoRowError) return {};
  const std::size_t row = begin + static_cast<std::size_t>(row_error / kRowErrorKinds);
  switch (static_cast<RowErrorKind>(row_error % kRowErrorKinds)) {
    case RowErrorKind::logits_empty:
      return unusable_row(where, false, true, row);
    case RowErrorKind::logits_not_finite:
      return unusable_row(where, false, false, row);
    case RowErrorKind::masked_empty:
      return unusable_row(where, true, true, row);
    case RowErrorKind::masked_not_finite:
      return unusable_row(where, true, false, row);
    case RowErrorKind::infinite_kl:
      return infinite_kl(where, row);
  }
  return {Code::internal,
          "[" + where + "] the kernel reported an unknown error of row " + std::to_string(row)};
}

char* from_row(const TensorView& view, std::size_t row) {
  return view.present() ? static_cast<char*>(view.data) + row * view.row_pitch * size_of(view.dtype)
                        : nullptr;
}

}  // namespace

std::size_t StagedCall::add(void* data, std::size_t element, std::size_t lines, bool written) {
  if (data == nullptr) return ~std::size_t{0};
  arrays_[count_] = {static_cast<char*>(data), element, lines, written};
  return count_++;
}

void StagedCall::lay_out(std::size_t rows) {
  std::size_t offset = 0;
  for (const bool written : {false, true}) {
    for (std::size_t i = 0; i < count_; ++i) {
      Array& array = arrays_[i];
      if (array.written != written) continue;
      array.offset = offset;
      offset = aligned(offset + array.lines * array.element * rows);
    }
    if (written) continue;
    row_error_ = offset;
    offset = aligned(offset + sizeof(kNoRowError));
  }
  end_ = offset;
}

std::size_t StagedCall::rows_per_round() const {
  std::size_t per_row = 1;
  for (std::size_t i = 0; i < count_; ++i) per_row += arrays_[i].lines * arrays_[i].element;
  return std::min(call_.rows, std::max<std::size_t>(1, most_bytes_ / per_row));
}

void StagedCall::gather(char* block, std::size_t begin, std::size_t rows) const {
  for (std::size_t i = 0; i < count_; ++i) {
    const Array& array = arrays_[i];
    for (std::size_t line = 0; !array.written && line < array.lines; ++line) {
      std::memcpy(block + array.offset + line * rows * array.element,
                  array.host + (line * call_.rows + begin) * array.element, rows * array.element);
    }
  }
  std::memcpy(block + row_error_, &kNoRowError, sizeof(kNoRowError));
}

void StagedCall::scatter(const char* block, std::size_t begin, std::size_t rows) const {
  for (std::size_t i = 0; i < count_; ++i) {
    const Array& array = arrays_[i];
    for (std::size_t line = 0; array.written && line < array.lines; ++line) {
      std::memcpy(array.host + (line * call_.rows + begin) * array.element,
                  block + array.offset + line * rows * array.element, rows * array.element);
    }
  }
}

Status StagedCall::round(Workspace& workspace, std::size_t begin, std::size_t rows,
                         const Launch& launch) {
  const int device = device_of(call_);
  const auto stream = static_cast<cudaStream_t>(call_.stream);
  char* const pinned = workspace.pinned();
  gather(pinned, begin, rows);
  const std::size_t up = row_error_ + sizeof(kNoRowError);
  Status status =
      check(where_, device, "take the rows' numbers",
            cudaMemcpyAsync(workspace.device(), pinned, up, cudaMemcpyHostToDevice, stream));
  if (status.ok()) {
    StagedRows staged(*this, workspace, begin, rows);
    status = launch(staged);
  }
  if (status.ok()) {
    status = check(where_, device, "give back the rows' numbers",
                   cudaMemcpyAsync(pinned + row_error_, workspace.device() + row_error_,
                                   end_ - row_error_, cudaMemcpyDeviceToHost, stream));
  }
  // Also after a failure: what was enqueued before it still uses the block.
  const cudaError_t waited = wait_for(stream);
  if (waited != cudaSuccess) {
    workspace.spoil();
    Status failed = failure(where_, device, "finish", waited);
    return status.ok() ? failed : status;
  }
  if (!status.ok()) return status;
  unsigned long long row_error = kNoRowError;
  std::memcpy(&row_error, pinned + row_error_, sizeof row_error);
  status = row_failure(where_, row_error, begin);
  if (status.ok()) scatter(pinned, begin, rows);
  return status;
}

Status StagedCall::run(const Launch& launch) {
  if (call_.rows == 0) return {};
  const int device = device_of(call_);
  Status status = check_device(where_, device);
  if (!status.ok()) return status;
  const DeviceGuard guard(device);
  status = check(where_, device, "be made current", guard.error());
  if (!status.ok()) return status;
  const std::size_t most = rows_per_round();
  lay_out(most);
  Workspace workspace;
  status = workspace.take(where_, device, end_);
  for (std::size_t begin = 0; status.ok() && begin < call_.rows; begin += most) {
    if (call_.cancellation.requested()) return {Code::aborted, "aborted"};
    status = round(workspace, begin, std::min(most, call_.rows - begin), launch);
  }
  return status;
}

const Machine& StagedRows::machine() const { return machine_of(device_of(call_.call_)); }

RowPairs StagedRows::row_pairs(const TensorView& logits, const TensorView& masked_logits,
                               Staged<const std::int32_t> token_ids,
                               Staged<const std::int32_t> mask) const {
  RowPairs pairs;
  pairs.dtype = logits.dtype;
  pairs.logits = from_row(logits, begin_);
  pairs.masked_logits = from_row(masked_logits, begin_);
  pairs.row_pitch = static_cast<std::int64_t>(logits.row_pitch);
  pairs.masked_row_pitch = static_cast<std::int64_t>(masked_logits.row_pitch);
  pairs.rows = static_cast<std::int64_t>(rows_);
  pairs.vocab = static_cast<std::int64_t>(logits.columns);
  pairs.token_ids = at(token_ids);
  pairs.mask = at(mask);
  pairs.row_error = reinterpret_cast<unsigned long long*>(workspace_.device() + call_.row_error_);
  return pairs;
}

Gradients StagedRows::gradients(const TensorView& grad_logits,
                                const TensorView& grad_masked_logits) const {
  Gradients gradients;
  gradients.dtype = grad_logits.present() ? grad_logits.dtype : grad_masked_logits.dtype;
  gradients.grad_logits = from_row(grad_logits, begin_);
  gradients.grad_masked_logits = from_row(grad_masked_logits, begin_);
  gradients.row_pitch = static_cast<std::int64_t>(grad_logits.row_pitch);
  gradients.masked_row_pitch = static_cast<std::int64_t>(grad_masked_logits.row_pitch);
  return gradients;
}

Status StagedRows::scratch(std::size_t bytes, Scratch& scratch) {
  Status status = workspace_.reserve_scratch(call_.where_, bytes);
  scratch = workspace_.scratch();
  return status;
}

Status StagedRows::launched(cudaError_t error) const {
  return check(call_.where_, device_of(call_.call_), "launch its kernel", error);
}

void clear_gradient(const OpCall& call, const TensorView& grad, const TensorView& logits,
                    const std::int32_t* mask) {
  if (!grad.present() || grad.data == logits.data) return;
  const DeviceGuard guard(grad.device.index);
  if (guard.error() != cudaSuccess) return;
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const std::size_t element = size_of(grad.dtype);
  for (std::size_t begin = 0, end = 0; begin < grad.rows; begin = end) {
    // The rows from `begin` on that count, or that do not, up to the first which is otherwise.
    end = begin + 1;
    while (end < grad.rows && counts(mask, end) == counts(mask, begin)) ++end;
    if (!counts(mask, begin)) continue;
    const Area area = {from_row(grad, begin), grad.device, grad.row_pitch * element};
    static_cast<void>(enqueue_clear(area, end - begin, grad.columns * element, stream));
  }
  static_cast<void>(wait_for(stream));
  static_cast<void>(cudaGetLastError());
}

}  // namespace papo::cuda
