#include "cuda/machine.hpp"

#include "cuda/probe.hpp"

namespace papo::cuda {
namespace {

const Found& found() {
  static const Found result = probe();
  return result;
}

}  // namespace

const Runtime& runtime() { return found().runtime; }

const Machine& machine_of(int device) { return found().machines[static_cast<std::size_t>(device)]; }

Status check_device(const std::string& where, int device) {
  const Runtime& runtime = found().runtime;
  if (!runtime.unavailable.empty()) return not_available(where, device, runtime.unavailable);
  const std::size_t count = runtime.devices.size();
  // A negative index is a huge one here.
  if (static_cast<std::size_t>(device) >= count) {
    return not_available(where, device,
                         count == 1
                             ? "the only device is cuda:0"
                             : "the devices are cuda:0 to cuda:" + std::to_string(count - 1));
  }
  const std::string reason = too_old(machine_of(device));
  return reason.empty() ? Status() : not_available(where, device, reason);
}

}  // namespace papo::cuda
