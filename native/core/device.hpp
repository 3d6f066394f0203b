// Devices: where memory lies and kernels run.
#pragma once

#include <string>

namespace papo {

enum class DeviceKind { cpu, cuda };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
};

inline bool operator==(Device a, Device b) { return a.kind == b.kind && a.index == b.index; }
inline bool operator!=(Device a, Device b) { return !(a == b); }

/// As JavaScript writes it: "cpu", "cuda:0".
inline std::string name_of(Device device) {
  return device.kind == DeviceKind::cpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

}  // namespace papo
