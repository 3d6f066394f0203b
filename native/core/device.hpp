// Devices: where memory lies and kernels run.
#pragma once

namespace papo {

enum class DeviceKind { cpu, cuda };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
};

}  // namespace papo
