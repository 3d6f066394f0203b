#include "cuda/workspace.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/check.hpp"

namespace papo::cuda {
namespace {

constexpr std::size_t kLeastBytes = std::size_t{64} << 10;

/// Sizes are powers of two, so that calls of nearly equal size find each other's blocks.
std::size_t rounded(std::size_t bytes) {
  std::size_t size = kLeastBytes;
  while (size < bytes) size *= 2;
  return size;
}

void destroy(const Blocks& blocks) {
  static_cast<void>(cudaFree(blocks.device));
  static_cast<void>(cudaFree(blocks.scratch));
  static_cast<void>(cudaFreeHost(blocks.pinned));
  static_cast<void>(cudaGetLastError());
}

class Shelf {
 public:
  /// Never destroyed: when static objects go, the driver may be gone already.
  static Shelf& instance() {
    static Shelf* shelf = new Shelf;
    return *shelf;
  }

  /// The smallest blocks that are large enough; else the largest there are, to be given up for larger ones.
  bool take(int device, std::size_t bytes, Blocks& taken) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Blocks>& kept = kept_[device];
    const auto better = [&](const Blocks& a, const Blocks& b) {
      const bool fits = a.bytes >= bytes;
      if (fits != (b.bytes >= bytes)) return fits;
      return fits ? a.bytes < b.bytes : a.bytes > b.bytes;
    };
    const auto best = std::min_element(kept.begin(), kept.end(), better);
    if (best == kept.end()) return false;
    taken = *best;
    kept.erase(best);
    return true;
  }

  bool keep(int device, const Blocks& blocks) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (total(device) + blocks.total() > kKeptBytes) return false;
    kept_[device].push_back(blocks);
    return true;
  }

  std::vector<Blocks> take_all(int device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(kept_[device], {});
  }

  std::size_t bytes(int device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return total(device);
  }

 private:
  std::size_t total(int device) {
    std::size_t sum = 0;
    for (const Blocks& blocks : kept_[device]) sum += blocks.total();
    return sum;
  }

  std::mutex mutex_;
  std::map<int, std::vector<Blocks>> kept_;
};

/// Device memory, if need be what idle workspaces hold of it.
cudaError_t allocate(int device, std::size_t bytes, char*& memory) {
  void* data = nullptr;
  cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation && release_workspaces(device)) {
    static_cast<void>(cudaGetLastError());
    error = cudaMalloc(&data, bytes);
  }
  memory = static_cast<char*>(data);
  return error;
}

}  // namespace

Workspace::~Workspace() {
  if (device_ < 0) return;
  if (spoiled_ || !Shelf::instance().keep(device_, blocks_)) destroy(blocks_);
}

Status Workspace::take(const std::string& where, int device, std::size_t bytes) {
  Blocks blocks;
  if (Shelf::instance().take(device, bytes, blocks)) {
    if (blocks.bytes >= bytes) {
      blocks_ = blocks;
      device_ = device;
      return {};
    }
    destroy(blocks);
    blocks = {};
  }
  const std::size_t size = rounded(bytes);
  cudaError_t error = allocate(device, size, blocks.device);
  if (error == cudaErrorMemoryAllocation) {
    return out_of_memory(where, device, size, "for the rows' numbers");
  }
  Status status = check(where, device, "give memory", error);
  if (!status.ok()) return status;
  void* pinned = nullptr;
  error = cudaHostAlloc(&pinned, size, cudaHostAllocPortable);
  blocks.pinned = static_cast<char*>(pinned);
  if (error != cudaSuccess) {
    status = error == cudaErrorMemoryAllocation
                 ? out_of_pinned_memory(where, size)
                 : failure(where, device, "give page-locked memory", error);
    destroy(blocks);
    return status;
  }
  blocks.bytes = size;
  blocks_ = blocks;
  device_ = device;
  return {};
}

Status Workspace::reserve_scratch(const std::string& where, std::size_t bytes) {
  if (bytes <= blocks_.scratch_bytes) return {};
  static_cast<void>(cudaFree(blocks_.scratch));
  blocks_.scratch = nullptr;
  blocks_.scratch_bytes = 0;
  const std::size_t size = rounded(bytes);
  const cudaError_t error = allocate(device_, size, blocks_.scratch);
  if (error == cudaErrorMemoryAllocation) {
    return out_of_memory(where, device_, size, "of scratch");
  }
  if (error == cudaSuccess) blocks_.scratch_bytes = size;
  return check(where, device_, "give memory", error);
}

bool release_workspaces(int device) {
  const std::vector<Blocks> all = Shelf::instance().take_all(device);
  for (const Blocks& blocks : all) destroy(blocks);
  return !all.empty();
}

std::size_t kept_bytes(int device) { return Shelf::instance().bytes(device); }

}  // namespace papo::cuda
