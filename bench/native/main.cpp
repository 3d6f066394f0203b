// papo_bench_kernels: cycles of the inner loops, and whole rows as shares of what the machine can move.
//
//   papo_bench_kernels [--isa NAME] [--threads N] [--rows N] [--vocab N] [--rounds N] [--dtype NAME] [--small]
//
// Rounds interleave everything; a share is the median over rounds of (the machine's best in that round / ours).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/half.hpp"
#include "cpu/backend.hpp"
#include "core/floating_point.hpp"
#include "loops.hpp"

using namespace papo;

namespace {

volatile double sink;

struct Options {
  cpu::Isa isa = cpu::available_isas().front();
  std::size_t threads = 1;
  std::size_t rows = 512;
  std::size_t vocab = 151936;
  std::size_t rounds = 9;
  std::size_t chunk = 1;
  DType dtype = DType::float32;
  std::string data = "normal";
  bool small = false;
};

double seconds(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

const bench::Loops& loops_of(cpu::Isa isa) {
  return isa == cpu::Isa::avx512 || isa == cpu::Isa::avx512_bf16 ? bench::kAvx512Loops
                                                                 : bench::kAvx2Loops;
}

/// Rows handed out one by one to `threads` threads.
void for_each_row(const Options& options, const std::function<void(std::size_t row)>& f) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    const papo::KernelFloatingPoint scope;
    for (std::size_t row; (row = next++) < options.rows;) f(row);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < options.threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

// ---- The inner loops, in the first cache ---------------------------------------------------------------------

/// Cycles per nanosecond, from a chain of additions that take one cycle each.
double clock_rate() {
  std::vector<double> rates;
  for (int round = 0; round < 9; ++round) {
    constexpr std::size_t kSteps = 4000000;
    const double time = seconds([&] {
      std::size_t x = 1;
      for (std::size_t i = 0; i < kSteps; ++i) {
        __asm__ volatile("add $1, %0\n add $3, %0\n add $1, %0\n add $3, %0" : "+r"(x));
      }
      sink = static_cast<double>(x);
    });
    rates.push_back(4.0 * kSteps / time * 1e-9);
  }
  return median(rates);
}

void run_small(const Options& options) {
  constexpr std::size_t kCount = 2048;  // two logits, two gradients: 32 KiB
  constexpr std::size_t kRepeats = 2000;
  std::vector<float> memory(4 * kCount + 16);
  float* p = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) / 4 % 16;
  float* q = p + kCount;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 1);
  for (std::size_t i = 0; i < 2 * kCount; ++i) p[i] = std::min(normal(random), 4.0F);
  const double rate = clock_rate();
  std::printf("clock %.2f GHz\n%-12s %14s %14s %14s   (ns and cycles per 16 pairs)\n", rate, "isa",
              "16 exps", "statistics", "gradient");
  for (const cpu::Isa isa : cpu::available_isas()) {
    if (isa == cpu::Isa::scalar || isa == cpu::Isa::avx512_bf16) continue;
    const bench::Loops& loops = loops_of(isa);
    const papo::KernelFloatingPoint scope;
    std::vector<double> times[3];
    for (std::size_t round = 0; round < options.rounds; ++round) {
      const double pairs = kRepeats * kCount / 16.0;
      times[0].push_back(seconds([&] { sink = loops.exponentials(p, 2 * kCount, kRepeats); }) /
                         pairs / 2);
      times[1].push_back(seconds([&] { sink = loops.statistics(p, q, kCount, kRepeats); }) / pairs);
      times[2].push_back(
          seconds([&] { loops.gradient(p, q, q + kCount, q + 2 * kCount, kCount, kRepeats); }) /
          pairs);
    }
    std::printf("%-12s", name_of(isa));
    for (const auto& column : times) {
      const double ns = median(column) * 1e9;
      std::printf(" %6.2f %6.2fc ", ns, ns * rate);
    }
    std::printf("\n");
  }
}

// ---- Whole rows ----------------------------------------------------------------------------------------------

/// Page-aligned and touched.
struct Memory {
  std::size_t bytes;
  char* data;
  explicit Memory(std::size_t size) : bytes((size + 4095) / 4096 * 4096) {
    data = static_cast<char*>(std::aligned_alloc(4096, bytes));
    std::memset(data, 0, bytes);
  }
  ~Memory() { std::free(data); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
};

struct Batch {
  std::vector<std::int32_t> ids;
  std::vector<double> zeros, weights, statistics, terms;
  explicit Batch(const Options& options)
      : ids(options.rows, 7),
        zeros(options.rows, -1.0),
        weights(options.rows, 1e-3),
        statistics(8 * options.rows),
        terms(12 * options.rows) {}
};

template <typename T>
void fill(const Options& options, char* memory, unsigned seed, float noise, unsigned noise_seed) {
  std::mt19937 random(seed), other(noise_seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<T> row(2 * options.vocab);
  for (std::size_t i = 0; i < row.size(); ++i) {
    float x = 2 * normal(random) + noise * normal(other);
    const std::size_t column = i % options.vocab;
    if (options.data == "ascending")
      x = (1000.0F + noise) * static_cast<float>(column) / static_cast<float>(options.vocab);
    if (options.data == "masked" && column % 3 != 0) x = -INFINITY;
    if (options.data == "lowest" && column % 3 != 0) x = -3.4028234e38F;
    if (options.data == "denormal") x = column % 5 == 0 ? x : -95.0F + x;
    if (column == 99) x = options.data == "ascending" ? x : 14;
    from_float(x, row[i]);
  }
  for (std::size_t r = 0; r < options.rows; ++r) {
    // Rows differ, so that none is predicted from the one before.
    const std::size_t shift = options.data == "ascending" ? 0 : r * 61 % options.vocab;
    std::memcpy(memory + r * options.vocab * sizeof(T), row.data() + shift,
                options.vocab * sizeof(T));
  }
}

template <typename T>
void run_rows(const Options& options) {
  const std::size_t bytes = options.rows * options.vocab * sizeof(T);
  Memory p(bytes), q(bytes), gp(bytes), gq(bytes);
  fill<T>(options, p.data, 1, 0, 2);
  fill<T>(options, q.data, 1, 0.5F, 3);
  Batch batch(options);
  const bench::Loops& loops = loops_of(options.isa);
  const cpu::IsaTable& table = cpu::table_of(options.isa);

  papo_loss::Params params{};
  params.rows = options.rows;
  params.vocab = options.vocab;
  const auto view = [&](char* data) {
    return TensorView{data, options.rows, options.vocab, options.vocab, options.dtype, {}};
  };
  params.logits = view(p.data);
  params.masked_logits = view(q.data);
  params.token_ids = batch.ids.data();
  params.data = {batch.zeros.data(), batch.zeros.data(), batch.zeros.data(), batch.weights.data(),
                 batch.weights.data()};
  params.statistics = batch.statistics.data();
  params.terms = batch.terms.data();
  params.objective.ref_kl_coef = 0.01;
  params.objective.perception_kl_coef = 0.02;
  params.objective.perception_kl_estimator = KlEstimator::exact;
  params.objective.exact_kl_limit = 10;
  params.objective.entropy_coef = params.objective.masked_entropy_coef = 0.03;
  params.objective.entropy_estimator = EntropyEstimator::exact;
  params.objective.masked_differentiable = true;
  params.temperature = 1;
  params.grad_scale = 1;
  papo_loss::Params separate = params, in_place = params;
  separate.grad_logits = view(gp.data);
  separate.grad_masked_logits = view(gq.data);
  in_place.logits = in_place.grad_logits = view(gp.data);
  in_place.masked_logits = in_place.grad_masked_logits = view(gq.data);

  const std::size_t row_floats = options.vocab * sizeof(T) / sizeof(float) / 64 * 64;
  const auto at = [&](const Memory& m, std::size_t row) {
    return reinterpret_cast<float*>(m.data + row * options.vocab * sizeof(T) / 64 * 64);
  };
  const auto kernel = [&](const papo_loss::Params& what) {
    Options chunks = options;
    chunks.rows /= options.chunk;
    for_each_row(chunks, [&](std::size_t row) {
      if (!table.papo_loss(what, row * options.chunk, (row + 1) * options.chunk).ok()) std::abort();
    });
  };
  std::map<std::string, std::vector<double>> times;
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    const auto time = [&](const char* name, const std::function<void()>& f) {
      const double elapsed = seconds(f);
      if (round > 0) times[name].push_back(elapsed);
    };
    time("read", [&] {
      for_each_row(options,
                   [&](std::size_t r) { sink = loops.read(at(p, r), at(q, r), row_floats); });
    });
    time("forward", [&] { kernel(params); });
    time("memcpy", [&] {
      for_each_row(options, [&](std::size_t r) {
        std::memcpy(at(gp, r), at(p, r), row_floats * 4);
        std::memcpy(at(gq, r), at(q, r), row_floats * 4);
      });
    });
    time("copy_streaming", [&] {
      for_each_row(options, [&](std::size_t r) {
        loops.copy_streaming(at(p, r), at(q, r), at(gp, r), at(gq, r), row_floats);
      });
    });
    time("separate", [&] { kernel(separate); });
    std::memcpy(gp.data, p.data, bytes);
    std::memcpy(gq.data, q.data, bytes);
    time("update", [&] {
      for_each_row(options, [&](std::size_t r) { loops.update(at(gp, r), at(gq, r), row_floats); });
    });
    std::memcpy(gp.data, p.data, bytes);
    std::memcpy(gq.data, q.data, bytes);
    time("in place", [&] { kernel(in_place); });
    std::vector<float> t(1 << 12);
    for (std::size_t i = 0; i < t.size(); ++i) t[i] = -0.004F * static_cast<float>(i);
    time("exp", [&] {
      for_each_row(options, [&](std::size_t) {
        sink = loops.exponentials(t.data(), t.size(), 2 * options.vocab / t.size());
      });
    });
  }

  const double logits = 2.0 * static_cast<double>(options.rows * options.vocab);
  const auto line = [&](const char* name, std::initializer_list<const char*> moves) {
    std::vector<double> shares;
    for (std::size_t i = 0; i < options.rounds; ++i) {
      double best = INFINITY;
      for (const char* move : moves) best = std::min(best, times[move][i]);
      shares.push_back(std::max(best, times["exp"][i]) / times[name][i]);
    }
    std::printf("%-16s %7.4f ns/logit  %5.1f %% of the floor\n", name,
                median(times[name]) * 1e9 / logits, 100 * median(shares));
  };
  std::printf("%s, %zu thread(s), %zu rows of %zu, %zu bytes per logit, %s\n", name_of(options.isa),
              options.threads, options.rows, options.vocab, sizeof(T), options.data.c_str());
  for (const char* name : {"read", "memcpy", "copy_streaming", "update", "exp"}) {
    std::printf("  %-14s %7.4f ns/logit\n", name, median(times[name]) * 1e9 / logits);
  }
  line("forward", {"read"});
  line("separate", {"memcpy", "copy_streaming"});
  line("in place", {"memcpy", "copy_streaming", "update"});
}

}  // namespace

int main(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--small") {
      options.small = true;
      continue;
    }
    if (++i == count) return 2;
    const std::string value = words[i];
    const auto number = static_cast<std::size_t>(std::strtoull(value.c_str(), nullptr, 10));
    if (word == "--threads") options.threads = number;
    if (word == "--rows") options.rows = number;
    if (word == "--vocab") options.vocab = number;
    if (word == "--chunk") options.chunk = number;
    if (word == "--rounds") options.rounds = number;
    if (word == "--data") options.data = value;
    if (word == "--dtype") {
      options.dtype = value == "bfloat16"  ? DType::bfloat16
                      : value == "float16" ? DType::float16
                                           : DType::float32;
    }
    if (word == "--isa") {
      for (const cpu::Isa isa : cpu::available_isas()) {
        if (value == name_of(isa)) options.isa = isa;
      }
    }
  }
  if (options.small) {
    run_small(options);
  } else if (options.dtype == DType::float32) {
    run_rows<float>(options);
  } else if (options.dtype == DType::bfloat16) {
    run_rows<BFloat16>(options);
  } else {
    run_rows<Float16>(options);
  }
}
