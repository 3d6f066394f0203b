// The shim on streams: nothing is done before somebody waits, what is done is done in order, and no more order than that.
#include <cuda_runtime.h>

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "cuda/shim_launch.hpp"
#include "shim/dev.hpp"
#include "shim/shim.hpp"

using papo::shim::DeviceArray;
using papo::shim::launch;

namespace {

struct AddArgs {
  float* to;
  const float* from;
  float value;
};

__global__ void add_kernel(const __grid_constant__ AddArgs args) {
  const unsigned i = papo::dev::thread_index();
  args.to[i] = args.from[i] + args.value;
}

constexpr std::size_t kBytes = 32 * sizeof(float);

struct Streams {
  Streams() {
    for (cudaStream_t& stream : handles) cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaHostAlloc(&pinned, kBytes, cudaHostAllocDefault);
  }
  ~Streams() {
    cudaFreeHost(pinned);
    for (cudaStream_t stream : handles) cudaStreamDestroy(stream);
  }
  cudaStream_t handles[2];
  float* pinned = nullptr;
};

}  // namespace

TEST_CASE("shim: work waits until it is waited for") {
  papo::shim::restart();
  const Streams streams;
  const DeviceArray<float> numbers(std::vector<float>(32, 1));
  const std::size_t before = papo::shim::kernels_run();
  CHECK(launch({1, 32}, add_kernel, AddArgs{numbers.data(), numbers.data(), 1},
               streams.handles[0]) == cudaSuccess);
  CHECK(cudaMemcpyAsync(streams.pinned, numbers.data(), kBytes, cudaMemcpyDefault,
                        streams.handles[0]) == cudaSuccess);
  CHECK(papo::shim::kernels_run() == before);
  CHECK(std::isnan(streams.pinned[0]));
  CHECK(cudaStreamSynchronize(streams.handles[1]) == cudaSuccess);
  CHECK(papo::shim::kernels_run() == before);
  CHECK(cudaStreamSynchronize(streams.handles[0]) == cudaSuccess);
  CHECK(papo::shim::kernels_run() == before + 1);
  CHECK(streams.pinned[31] == 2);
}

TEST_CASE("shim: a stream that is asked again and again gets done") {
  const Streams streams;
  const DeviceArray<float> numbers(std::vector<float>(32, 1));
  for (int i = 0; i < 3; ++i) {
    launch({1, 32}, add_kernel, AddArgs{numbers.data(), numbers.data(), 1}, streams.handles[0]);
  }
  int asked = 0;
  while (cudaStreamQuery(streams.handles[0]) == cudaErrorNotReady) ++asked;
  CHECK(asked == 3);
  CHECK(cudaPeekAtLastError() == cudaSuccess);
  CHECK(numbers.read()[0] == 4);
}

TEST_CASE("shim: an event orders two streams, and without it they are not") {
  for (unsigned seed = 0; seed < 4; ++seed) {
    for (const bool ordered : {true, false}) {
      papo::shim::restart();
      papo::shim::set_seed(seed);
      const Streams streams;
      const DeviceArray<float> from(std::vector<float>(32, 1));
      const DeviceArray<float> between(32);
      const DeviceArray<float> to(32);
      cudaEvent_t event = nullptr;
      CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess);
      launch({1, 32}, add_kernel, AddArgs{between.data(), from.data(), 1}, streams.handles[0]);
      CHECK(cudaEventRecord(event, streams.handles[0]) == cudaSuccess);
      if (ordered) CHECK(cudaStreamWaitEvent(streams.handles[1], event, 0) == cudaSuccess);
      launch({1, 32}, add_kernel, AddArgs{to.data(), between.data(), 1}, streams.handles[1]);
      CHECK(cudaStreamSynchronize(streams.handles[1]) == cudaSuccess);
      const float result = to.read()[0];
      if (ordered) {
        CHECK(result == 3);
      } else if (seed == 0) {
        CHECK(std::isnan(result));
      }
      CHECK(cudaEventDestroy(event) == cudaSuccess);
    }
  }
}

TEST_CASE("shim: a pageable source may be changed after the call, a pinned one may not") {
  const Streams streams;
  const DeviceArray<float> numbers(32);
  std::vector<float> pageable(32, 5);
  cudaMemcpyAsync(numbers.data(), pageable.data(), kBytes, cudaMemcpyDefault, streams.handles[0]);
  pageable.assign(32, 6);
  cudaStreamSynchronize(streams.handles[0]);
  CHECK(numbers.read()[0] == 5);
  streams.pinned[0] = 7;
  cudaMemcpyAsync(numbers.data(), streams.pinned, kBytes, cudaMemcpyDefault, streams.handles[0]);
  streams.pinned[0] = 8;
  cudaStreamSynchronize(streams.handles[0]);
  CHECK(numbers.read()[0] == 8);
}

TEST_CASE("shim: a copy to pageable memory is done when the call returns") {
  const Streams streams;
  const DeviceArray<float> numbers(std::vector<float>(32, 3));
  std::vector<float> pageable(32);
  launch({1, 32}, add_kernel, AddArgs{numbers.data(), numbers.data(), 1}, streams.handles[0]);
  cudaMemcpyAsync(pageable.data(), numbers.data(), kBytes, cudaMemcpyDefault, streams.handles[0]);
  CHECK(pageable[0] == 4);
}

TEST_CASE("shim: the default stream and blocking streams wait for each other, others do not") {
  for (const unsigned flags : {cudaStreamDefault, cudaStreamNonBlocking}) {
    papo::shim::restart();
    papo::shim::set_seed(0);
    const DeviceArray<float> numbers(std::vector<float>(32, 3));
    const DeviceArray<float> copy(32);
    cudaStream_t stream = nullptr;
    CHECK(cudaStreamCreateWithFlags(&stream, flags) == cudaSuccess);
    launch({1, 32}, add_kernel, AddArgs{numbers.data(), numbers.data(), 1}, nullptr);
    launch({1, 32}, add_kernel, AddArgs{copy.data(), numbers.data(), 0}, stream);
    cudaStreamSynchronize(stream);
    cudaDeviceSynchronize();
    CHECK(copy.read()[0] == (flags == cudaStreamDefault ? 4 : 3));
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
    CHECK(papo::shim::live().streams == 0);
  }
}

TEST_CASE("shim: events tell times, and whether they have come") {
  const Streams streams;
  cudaEvent_t begin = nullptr, end = nullptr, untimed = nullptr;
  cudaEventCreateWithFlags(&begin, cudaEventDefault);
  cudaEventCreateWithFlags(&end, cudaEventDefault);
  cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming);
  float ms = -1;
  CHECK(cudaEventQuery(begin) == cudaSuccess);
  CHECK(cudaEventElapsedTime(&ms, begin, end) == cudaErrorInvalidResourceHandle);
  cudaEventRecord(begin, streams.handles[0]);
  cudaEventRecord(untimed, streams.handles[0]);
  cudaEventRecord(end, streams.handles[0]);
  CHECK(cudaEventElapsedTime(&ms, begin, end) == cudaErrorNotReady);
  CHECK(cudaEventQuery(end) == cudaErrorNotReady);
  CHECK(cudaEventSynchronize(end) == cudaSuccess);
  CHECK(cudaEventQuery(end) == cudaSuccess);
  CHECK(cudaEventElapsedTime(&ms, begin, end) == cudaSuccess);
  CHECK(ms >= 0);
  CHECK(cudaEventElapsedTime(&ms, begin, untimed) == cudaErrorInvalidResourceHandle);
  for (cudaEvent_t event : {begin, end, untimed}) cudaEventDestroy(event);
  CHECK(cudaEventDestroy(begin) == cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}
