// The stages of the command; each says what it does, counts its checks and saves its figures.
#pragma once

#include "options.hpp"
#include "ops/registry.hpp"
#include "report.hpp"

namespace papo::gpu {

struct Context {
  const Registry& registry;
  const Options& options;
  Report& report;

  int device() const { return options.device; }
};

/// Every op and every walk over the sweep, against the CPU engine (all rows) and float64 (sampled rows).
void correctness(Context& context);
/// Errors: the same code, row and sentence as from the CPU engine; skipped rows flagged alike.
void refusals(Context& context);
/// Statistics of a vocabulary in shards: partial states of the device, merged and finished.
void shards(Context& context);
/// The same call again and again, beside other work and over used memory: the same bits.
void determinism(Context& context);
/// Milliseconds, bytes, bandwidths.
void timing(Context& context);

/// The machine, for the report: device, driver, sizes.
json::Object machine_facts(int device);

}  // namespace papo::gpu
