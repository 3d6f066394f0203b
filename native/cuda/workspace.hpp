// What one op call needs beside its tensors: a block on the device, its page-locked twin on the host, scratch.
//
// Both kinds of allocation stop the device for as long as a small kernel takes, so blocks are kept and handed
// from call to call. Calls that run at once have one each; nothing is shared while it is used.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "cuda/kernels.hpp"

namespace papo::cuda {

struct Blocks {
  char* device = nullptr;
  char* pinned = nullptr;
  std::size_t bytes = 0;  ///< of each of the two
  char* scratch = nullptr;
  std::size_t scratch_bytes = 0;

  std::size_t total() const { return 2 * bytes + scratch_bytes; }
};

/// Memory that no call uses is kept up to this, per device.
inline constexpr std::size_t kKeptBytes = std::size_t{128} << 20;

/// Holds blocks of one device, which is current, from `take` to its end.
class Workspace {
 public:
  Workspace() = default;
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// Blocks of at least `bytes`, kept ones if there are any that large.
  Status take(const std::string& where, int device, std::size_t bytes);
  /// At least `bytes` of scratch, with whatever is in it. No work may be using the scratch of before.
  Status reserve_scratch(const std::string& where, std::size_t bytes);
  /// Not to be kept: the device may still be working on it, or broken.
  void spoil() { spoiled_ = true; }

  char* device() const { return blocks_.device; }
  char* pinned() const { return blocks_.pinned; }
  Scratch scratch() const { return {blocks_.scratch, blocks_.scratch_bytes}; }

 private:
  Blocks blocks_;
  int device_ = -1;
  bool spoiled_ = false;
};

/// Frees what the device's calls left for the next ones; true if there was anything. The device is current.
bool release_workspaces(int device);

/// Bytes kept for the device.
std::size_t kept_bytes(int device);

}  // namespace papo::cuda
