// How a thing is timed: many enqueues between two events, over buffers that rotate so that none is still in the L2.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace papo::gpu {

/// Median and the interquartile range as a share of it.
struct Sample {
  double ms = 0;
  double spread = 0;
  std::size_t count = 0;
};
Sample summarise(std::vector<double> milliseconds);

/// One thing to time. `enqueue(i)` is its i-th launch, which uses the i-th set of buffers.
struct Timed {
  std::string name;
  /// What any implementation must move, for bandwidths and floors.
  double bytes = 0;
  std::function<void(std::size_t)> enqueue;
  /// Work before each launch that is not timed; every launch is then timed alone.
  std::function<void(std::size_t)> prepare;
  /// Timed by the host's clock around the call, which waits by itself.
  bool on_host = false;
  std::vector<double> milliseconds;
};

/// Times everything in turn, round after round, so that a slow moment of the machine meets everyone.
class Stopwatch {
 public:
  explicit Stopwatch(cudaStream_t stream);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  /// A round gives one number per thing: the mean of as many launches as take about `milliseconds`.
  void run(std::vector<Timed>& things, std::size_t rounds, double milliseconds);

 private:
  double once(Timed& timed, std::size_t launches);
  double together(Timed& timed, std::size_t launches);
  double alone(Timed& timed, std::size_t launches);
  double host(Timed& timed, std::size_t launches);

  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
  std::size_t launch_ = 0;
};

}  // namespace papo::gpu
