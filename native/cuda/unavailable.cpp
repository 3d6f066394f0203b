// The null backend, compiled in place of this room where CUDA is not built in: every door says why it is shut.
#include "cuda/backend.hpp"
#include "cuda/host_rows.hpp"
#include "cuda/memory.hpp"
#include "cuda/stream.hpp"

#ifndef PAPO_CUDA_UNAVAILABLE
#define PAPO_CUDA_UNAVAILABLE "built without CUDA"
#endif

namespace papo::cuda {

const Runtime& runtime() {
  static const Runtime nothing = [] {
    Runtime result;
    result.unavailable = PAPO_CUDA_UNAVAILABLE;
    return result;
  }();
  return nothing;
}

void register_cuda_kernels(Registry&) {}

Status check_device(const std::string& where, int device) {
  return not_available(where, device, runtime().unavailable);
}

// None of these objects can have been made, so there is nothing to let go of.
Memory::~Memory() = default;
Stream::~Stream() = default;
Event::~Event() = default;

Status allocate(const std::string& where, int device, std::size_t, MemoryPtr&) {
  return check_device(where, device);
}
Status wrap(const std::string& where, int device, std::uintptr_t, std::size_t, MemoryPtr&) {
  return check_device(where, device);
}
Status allocate_pinned(const std::string& where, std::size_t, std::shared_ptr<void>&) {
  return check_device(where, 0);
}
Status memory_info(const std::string& where, int device, MemoryInfo&) {
  return check_device(where, device);
}
Status copy(const std::string& where, const Area& from, const Area& to, std::size_t rows,
            std::size_t row_bytes, const Stream*) {
  if (on_device(from)) return check_device(where, from.device.index);
  if (on_device(to)) return check_device(where, to.device.index);
  copy_on_host(from, to, rows, row_bytes);
  return {};
}
Status clear(const std::string& where, const Area& area, std::size_t rows, std::size_t row_bytes,
             const Stream*) {
  if (on_device(area)) return check_device(where, area.device.index);
  clear_on_host(area, rows, row_bytes);
  return {};
}

Status create_stream(const std::string& where, int device, StreamPtr&) {
  return check_device(where, device);
}
Status wrap_stream(const std::string& where, int device, std::uintptr_t, StreamPtr&) {
  return check_device(where, device);
}
Status synchronize(const std::string& where, int device, const Stream*) {
  return check_device(where, device);
}

Status create_event(const std::string& where, int device, EventPtr&) {
  return check_device(where, device);
}
Status record(const std::string& where, const Event& event, const Stream*) {
  return check_device(where, event.device());
}
Status wait(const std::string& where, const Stream*, const Event& event) {
  return check_device(where, event.device());
}
Status synchronize(const std::string& where, const Event& event) {
  return check_device(where, event.device());
}
Status query(const std::string& where, const Event& event, bool&) {
  return check_device(where, event.device());
}
Status elapsed(const std::string& where, const Event& begin, const Event&, double&) {
  return check_device(where, begin.device());
}

}  // namespace papo::cuda
