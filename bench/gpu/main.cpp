// papo_gpu: the CUDA engine against the CPU engine and float64 on a real GPU, and against the clock. See README.md.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "cpu/backend.hpp"
#include "cuda/backend.hpp"
#include "direct.hpp"
#include "export.hpp"
#include "matrix.hpp"
#include "stages.hpp"

namespace {

using namespace papo;
using namespace papo::gpu;

constexpr int kFailed = 1, kUnusable = 2;

bool simulated(const cuda::DeviceDescription& device) {
  return device.name.rfind("Simulated", 0) == 0;
}

int run_stages(const Options& options) {
  const cuda::Runtime& runtime = cuda::runtime();
  if (runtime.devices.empty()) {
    std::fprintf(stderr, "papo_gpu: no GPU: %s\n", runtime.unavailable.c_str());
    return kUnusable;
  }
  if (static_cast<std::size_t>(options.device) >= runtime.devices.size()) {
    std::fprintf(stderr, "papo_gpu: there are %zu devices\n", runtime.devices.size());
    return kUnusable;
  }
  const cuda::DeviceDescription& device = runtime.devices[static_cast<std::size_t>(options.device)];
  if (simulated(device) && !options.out.empty()) {
    std::fprintf(stderr, "papo_gpu: no results are written of a simulated device\n");
    return kUnusable;
  }
  Registry registry;
  require(cpu::register_cpu_kernels(registry));
  cuda::register_cuda_kernels(registry);
  require(cudaSetDevice(options.device), "cudaSetDevice");

  Report report(options.out);
  report.say("papo_gpu " PAPO_VERSION " on " + device.name);
  if (simulated(device)) report.say("  a simulation on the CPU: its timings mean nothing");
  Context context = {registry, options, report};
  report.save("machine", machine_facts(options.device));
  if (!options.export_to.empty()) export_batch(context, options.export_to);
  if (options.has("correctness")) correctness(context);
  if (options.has("determinism")) determinism(context);
  if (options.has("timing")) timing(context);
  if (report.checks() > 0) {
    report.say(std::to_string(report.checks() - report.failures()) + " passed, " +
               std::to_string(report.failures()) + " failed");
  }
  return report.failures() == 0 ? 0 : kFailed;
}

}  // namespace

int main(int count, char** arguments) {
#ifdef __GLIBC__
  // Gigabytes come and go with every case: kept, they are not paged in again each time.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
  try {
    const Options options = parse(count, arguments);
    if (options.help) {
      std::printf("%s", kUsage);
      return 0;
    }
    return run_stages(options);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "papo_gpu: %s\n%s", error.what(), kUsage);
    return kUnusable;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "papo_gpu: %s\n", error.what());
    return kFailed;
  }
}
