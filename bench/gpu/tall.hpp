// A batch of very many rows for timings: a few different rows, repeated on the device.
#pragma once

#include <vector>

#include "batch.hpp"

namespace papo::gpu {

/// The [rows] numbers of all rows; its host matrices hold only the first ones, which the others repeat.
Batch tall_batch(const Case& spec, const Registry& registry);

/// Buffers of one launch; timings rotate over several of these.
struct Buffers {
  DeviceMatrix p, q, grad_p, grad_q;
};

/// As many sets as it takes to be several times the L2, at least two, within `most_bytes` and `most_sets`.
std::vector<Buffers> rotating_buffers(const Batch& batch, int device, std::size_t l2_bytes,
                                      std::size_t most_bytes, std::size_t most_sets);

}  // namespace papo::gpu
