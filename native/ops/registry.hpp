// (op, device) -> kernel, and the last safety check before it runs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ops/op_call.hpp"

namespace papo {

using Kernel = Status (*)(const OpCall&);

struct OpEntry {
  const OpSpec* spec;
  /// What the op's own header demands of a call beyond the spec: ids in range, numbers finite.
  Status (*check)(const OpCall&);
  Kernel cpu = nullptr;
  Kernel cuda = nullptr;
};

class Registry {
 public:
  /// All ops, without kernels: a backend adds its own.
  Registry();

  const std::vector<OpEntry>& entries() const { return entries_; }
  const OpEntry* find(const std::string& name) const;
  void add_kernel(const char* name, DeviceKind device, Kernel kernel);

  /// Checks the call against its spec, then runs the kernel of the tensors' device.
  Status run(const OpEntry& entry, const OpCall& call) const;

 private:
  std::vector<OpEntry> entries_;
};

/// Shapes, dtypes, bounds and overlaps against the spec; everything a kernel relies on to stay in bounds.
Status check_call(const OpCall& call);

}  // namespace papo
