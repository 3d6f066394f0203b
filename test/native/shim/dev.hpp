// The twin of cuda/device/dev.cuh on the CPU: the same names, over fibers.
//
// A call that others may notice carries the place it was made at, which reports name and faults are planted at.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/half.hpp"
#include "shim/faults.hpp"
#include "shim/primitives.hpp"

namespace papo::dev {

using shim::Where;

inline unsigned thread_index() { return shim::place().thread; }
inline unsigned block_index() { return shim::place().block_x; }
inline unsigned block_index_y() { return shim::place().block_y; }
inline unsigned block_size() { return shim::place().threads; }
inline unsigned grid_size() { return shim::place().grid_x; }
inline unsigned grid_size_y() { return shim::place().grid_y; }
inline char* shared_memory() { return shim::place().shared_memory; }

/// On a GPU this keeps the compiler from remembering; here it need not.
inline unsigned forgotten(unsigned value) { return value; }

inline void sync_block(Where where = Where::here()) {
  if (shim::skipped("sync_block", where)) return;
  shim::meet_in_block("sync_block", false, where);
}

/// A barrier, and whether `value` was true for any thread of the block.
inline bool sync_or(bool value, Where where = Where::here()) {
  if (shim::skipped("sync_or", where)) return value;
  return shim::meet_in_block("sync_or", value, where);
}

inline void sync_warp(Where where = Where::here()) {
  if (shim::skipped("sync_warp", where)) return;
  shim::meet_in_warp("sync_warp", 0, true, where);
}

namespace detail {

template <typename T>
std::uint64_t bits_of(T value) {
  std::uint64_t bits = 0;
  static_assert(sizeof value <= sizeof bits, "a lane exchanges 8 bytes at most");
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <typename T>
T value_of(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <typename Half>
unsigned pack(float lower, float upper) {
  Half low, high;
  from_float(lower, low);
  from_float(upper, high);
  return low.bits | static_cast<unsigned>(high.bits) << 16;
}

}  // namespace detail

/// The value of lane `own ^ lane_mask`; all lanes take part.
template <typename T>
T shuffle_xor(T value, unsigned lane_mask, Where where = Where::here()) {
  const auto* values = shim::meet_in_warp("shuffle_xor", detail::bits_of(value), false, where);
  if (shim::skipped("shuffle_xor", where)) lane_mask = 0;
  return detail::value_of<T>(values[(thread_index() ^ lane_mask) % 32]);
}

/// The value of `lane`, which may differ from lane to lane.
template <typename T>
T shuffle(T value, unsigned lane, Where where = Where::here()) {
  const auto* values = shim::meet_in_warp("shuffle", detail::bits_of(value), false, where);
  if (shim::skipped("shuffle", where)) lane = thread_index();
  return detail::value_of<T>(values[lane % 32]);
}

inline bool warp_any(bool value, Where where = Where::here()) {
  const auto* values = shim::meet_in_warp("warp_any", value ? 1 : 0, false, where);
  if (shim::skipped("warp_any", where)) return value;
  std::uint64_t any = 0;
  for (unsigned lane = 0; lane < 32; ++lane) any |= values[lane];
  return any != 0;
}

/// 2^x with the error a GPU may make: up to 2^-22 of the result, another for each x, always the same for one x.
/// As ex2.approx.ftz: exact at 0 and at subnormal x, results below 2^-126 are 0.
inline float exp2_approx(float x) {
  if (std::fabs(x) < 1.17549435e-38F) return 1;
  const float exact = exp2f(x);
  if (!(exact >= 1.17549435e-38F)) return std::isnan(x) ? x : 0;
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t mixed = (bits * 0x9E3779B1U) ^ (bits >> 15);
  const double error = (static_cast<double>(mixed * 0x85EBCA77U) / 2147483648.0 - 1) * 0x1p-22;
  return std::isinf(exact) ? exact : static_cast<float>(static_cast<double>(exact) * (1 + error));
}

using papo::bits_to_float;
using papo::float_to_bits;

inline float lower_f16(unsigned word) {
  return to_float(Float16{static_cast<std::uint16_t>(word)});
}
inline float upper_f16(unsigned word) {
  return to_float(Float16{static_cast<std::uint16_t>(word >> 16)});
}
inline unsigned pack_f16(float lower, float upper) { return detail::pack<Float16>(lower, upper); }
inline unsigned pack_bf16(float lower, float upper) { return detail::pack<BFloat16>(lower, upper); }

inline unsigned cluster_rank() { return shim::place().cluster_rank; }
inline unsigned cluster_size() { return shim::place().cluster_size; }

/// Orders nothing: what a peer must see goes through a transaction barrier.
inline void cluster_arrive_relaxed(Where where = Where::here()) {
  if (shim::skipped("cluster_arrive_relaxed", where)) return;
  shim::arrive_at_cluster(where);
}

inline void cluster_wait(Where where = Where::here()) {
  if (shim::skipped("cluster_wait", where)) return shim::forget_cluster_wait();
  shim::wait_for_cluster(where);
}

inline void barrier_init(std::uint64_t* barrier, unsigned count, Where where = Where::here()) {
  if (shim::skipped("barrier_init", where)) return;
  shim::make_barrier(barrier, count, where);
}

inline void fence_barrier_init(Where where = Where::here()) {
  if (shim::skipped("fence_barrier_init", where)) return;
  shim::make_barriers_known();
}

/// Arrives and announces `bytes` to come.
inline void barrier_expect(std::uint64_t* barrier, unsigned bytes, Where where = Where::here()) {
  if (shim::skipped("barrier_expect", where)) return;
  bytes += static_cast<unsigned>(shim::excess("barrier_expect", where));
  shim::arrive_expecting(barrier, bytes, where);
}

inline void barrier_wait(std::uint64_t* barrier, unsigned parity, Where where = Where::here()) {
  if (shim::skipped("barrier_wait", where)) return;
  shim::wait_for_phase(barrier, parity, false, where);
}

inline void barrier_wait_for_peers(std::uint64_t* barrier, unsigned parity,
                                   Where where = Where::here()) {
  if (shim::skipped("barrier_wait_for_peers", where)) return;
  shim::wait_for_phase(barrier, parity, true, where);
}

inline void bulk_load(void* to, const void* from, unsigned bytes, std::uint64_t* barrier,
                      Where where = Where::here()) {
  if (shim::skipped("bulk_load", where)) return;
  bytes += static_cast<unsigned>(shim::excess("bulk_load", where));
  shim::copy_bulk(to, from, bytes, barrier, where);
}

inline void send(void* own_slot, uint4 value, std::uint64_t* own_barrier, unsigned rank,
                 Where where = Where::here()) {
  if (shim::skipped("send", where)) return;
  shim::send(own_slot, &value, own_barrier, rank, where);
}

/// Vectors in shared memory, from the first on.
struct SharedVectors {
  const uint4* data;
};
inline SharedVectors shared_vectors(const void* first) {
  return {static_cast<const uint4*>(first)};
}
inline uint4 load_shared(SharedVectors from, int index) { return from.data[index]; }

inline uint4 load_vector(const void* from, Where where = Where::here()) {
  shim::check_aligned("load_vector", from, 16, where);
  uint4 value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline uint4 load_vector_last(const void* from, Where where = Where::here()) {
  return load_vector(from, where);
}

inline void store_vector(void* to, uint4 value, Where where = Where::here()) {
  shim::check_aligned("store_vector", to, 16, where);
  std::memcpy(static_cast<char*>(to) + shim::excess("store_vector", where), &value, sizeof value);
}

inline void store_vector_streaming(void* to, uint4 value, Where where = Where::here()) {
  shim::check_aligned("store_vector_streaming", to, 16, where);
  std::memcpy(static_cast<char*>(to) + shim::excess("store_vector_streaming", where), &value,
              sizeof value);
}

template <typename T>
T load_element(const T* from) {
  return *from;
}

template <typename T>
void store_element(T* to, T value) {
  *to = value;
}

inline int load_acquire(const int* flag, Where where = Where::here()) {
  return shim::acquire_flag(flag, where);
}

inline void store_release(int* flag, int value, Where where = Where::here()) {
  if (shim::skipped("store_release", where)) return;
  shim::release_flag(flag, value);
}

inline void wait_at_least(const int* flag, int value, Where where = Where::here()) {
  if (shim::skipped("wait_at_least", where)) return;
  shim::wait_for_flag(flag, value, where);
}

inline void atomic_min(unsigned long long* to, unsigned long long value) {
  shim::atomic_min(to, value);
}

inline void prefetch(const void*) {}

}  // namespace papo::dev
