// A small batch with its float64 answers in files, so that other implementations are checked with the same job.
#pragma once

#include <string>

#include "stages.hpp"

namespace papo::gpu {

/// Raw little-endian arrays and `batch.json` in an existing folder.
void export_batch(Context& context, const std::string& folder);

}  // namespace papo::gpu
