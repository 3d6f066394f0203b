#include "timing.hpp"

#include <algorithm>
#include <cmath>

#include "direct.hpp"
#include "report.hpp"

namespace papo::gpu {

Sample summarise(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(milliseconds.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, milliseconds.size() - 1);
    const double part = place - static_cast<double>(below);
    return milliseconds[below] * (1 - part) + milliseconds[above] * part;
  };
  const double median = at(0.5);
  return {median, median > 0 ? (at(0.75) - at(0.25)) / median : 0, milliseconds.size()};
}

Stopwatch::Stopwatch(cudaStream_t stream) : stream_(stream) {
  require(cudaEventCreateWithFlags(&begin_, 0), "an event");
  require(cudaEventCreateWithFlags(&end_, 0), "an event");
}

Stopwatch::~Stopwatch() {
  static_cast<void>(cudaEventDestroy(begin_));
  static_cast<void>(cudaEventDestroy(end_));
}

void Stopwatch::run(std::vector<Timed>& things, std::size_t rounds, double milliseconds) {
  std::vector<std::size_t> launches;
  for (Timed& timed : things) {
    once(timed, 1);  // The first launch loads code and grows scratch.
    const double estimate = std::fmax(once(timed, 2), 1e-4);
    launches.push_back(
        static_cast<std::size_t>(std::clamp(std::round(milliseconds / estimate), 1.0, 2000.0)));
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < things.size(); ++i) {
      things[i].milliseconds.push_back(once(things[i], launches[i]));
    }
  }
}

double Stopwatch::once(Timed& timed, std::size_t launches) {
  if (timed.on_host) return host(timed, launches);
  return timed.prepare ? alone(timed, launches) : together(timed, launches);
}

double Stopwatch::together(Timed& timed, std::size_t launches) {
  float elapsed = 0;
  require(cudaEventRecord(begin_, stream_), "an event");
  for (std::size_t i = 0; i < launches; ++i) timed.enqueue(launch_++);
  require(cudaEventRecord(end_, stream_), "an event");
  require(cudaEventSynchronize(end_), timed.name.c_str());
  require(cudaEventElapsedTime(&elapsed, begin_, end_), "an event");
  return static_cast<double>(elapsed) / static_cast<double>(launches);
}

double Stopwatch::alone(Timed& timed, std::size_t launches) {
  double total = 0;
  for (std::size_t i = 0; i < launches; ++i, ++launch_) {
    timed.prepare(launch_);
    float elapsed = 0;
    require(cudaEventRecord(begin_, stream_), "an event");
    timed.enqueue(launch_);
    require(cudaEventRecord(end_, stream_), "an event");
    require(cudaEventSynchronize(end_), timed.name.c_str());
    require(cudaEventElapsedTime(&elapsed, begin_, end_), "an event");
    total += static_cast<double>(elapsed);
  }
  return total / static_cast<double>(launches);
}

double Stopwatch::host(Timed& timed, std::size_t launches) {
  require(cudaDeviceSynchronize(), timed.name.c_str());
  const double start = seconds();
  for (std::size_t i = 0; i < launches; ++i) timed.enqueue(launch_++);
  return 1e3 * (seconds() - start) / static_cast<double>(launches);
}

}  // namespace papo::gpu
