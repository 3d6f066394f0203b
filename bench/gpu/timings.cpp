// The stage "timing": what is timed at which shapes, and how it is told.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "bandwidth.hpp"
#include "cuda/backend.hpp"
#include "stages.hpp"
#include "tall.hpp"
#include "timing.hpp"

namespace papo::gpu {
namespace {

struct Shape {
  std::size_t rows, vocab;
  DType dtype = DType::bfloat16;
  Logits logits = Logits::trained;
  double mask_share = -1;
  bool headline = false;
};

std::vector<Shape> shapes(Extent extent) {
  constexpr DType kBf16 = DType::bfloat16, kF16 = DType::float16, kF32 = DType::float32;
  const Shape headline = {8192, 151'936, kBf16, Logits::trained, -1, true};
  switch (extent) {
    case Extent::tiny:
    case Extent::small:
      return {{6, 1032, kBf16, Logits::trained, -1, true}, {3, 515, kF32}};
    case Extent::quick:
      return {headline, {8192, 50'257, kBf16}, {64, 151'936, kBf16}};
    case Extent::full:
      break;
  }
  return {headline,
          {8192, 152'064, kBf16},
          {8192, 151'936, kF32},
          {8192, 151'936, kF16},
          {8192, 32'000, kBf16},
          {8192, 50'257, kBf16},
          {8192, 65'536, kBf16},
          {8192, 128'256, kBf16},
          {8192, 262'144, kBf16},
          {8192, 151'936, kBf16, Logits::near},
          {8192, 151'936, kBf16, Logits::trained, 0.3},
          {512, 151'936, kBf16},
          {64, 151'936, kBf16},
          {1, 151'936, kBf16}};
}

/// A target of the issue, at the headline shape on an H200.
struct Target {
  const char* name;
  double ms;
};
constexpr Target kTargets[] = {{"fused", 2.57}, {"fused, in place", 2.57}, {"forward", 1.3}};

class Bench {
 public:
  Bench(Context& context, const Shape& shape, cudaStream_t stream)
      : context_(context),
        shape_(shape),
        stream_(stream),
        scratch_(context.device()),
        batch_(tall_batch(spec_of(context, shape), context.registry)),
        rows_(batch_, context.device()),
        sets_(rotating_buffers(batch_, context.device(), machine().l2_bytes, room(),
                               real() ? 512 : 4)) {}

  json::Object run() {
    add_copies();
    add_ops();
    if (shape_.headline) add_walks();
    if (shape_.headline) add_call();
    const std::string& only = context_.options.only;
    things_.erase(std::remove_if(things_.begin(), things_.end(),
                                 [&](const Timed& each) {
                                   return each.name.find("copy") == std::string::npos &&
                                          each.name.find(only) == std::string::npos;
                                 }),
                  things_.end());
    const std::size_t rounds = !real() ? 2 : context_.options.extent == Extent::full ? 9 : 5;
    Stopwatch stopwatch(stream_);
    stopwatch.run(things_, rounds, real() ? 25 : 1);
    // Throws if some row failed: then nothing above means anything.
    static_cast<void>(rows_.outputs());
    return tell();
  }

 private:
  static Case spec_of(Context& context, const Shape& shape) {
    Case spec;
    spec.rows = shape.rows;
    spec.vocab = shape.vocab;
    spec.dtype = shape.dtype;
    spec.logits = shape.logits;
    spec.mask_share = shape.mask_share;
    spec.seed = context.options.seed;
    return spec;
  }

  bool real() const {
    return context_.options.extent == Extent::full || context_.options.extent == Extent::quick;
  }
  const cuda::Machine& machine() const { return cuda::machine_of(context_.device()); }

  std::size_t room() const {
    cuda::MemoryInfo info;
    require(cuda::memory_info("papo_gpu", context_.device(), info));
    return info.free_bytes / 10 * 7;
  }

  Buffers& set(std::size_t launch) { return sets_[launch % sets_.size()]; }

  /// Passes over one tensor by the rows that count, and over the gradients of those that do not.
  double bytes(double reads, double writes) const {
    std::size_t counted = 0;
    for (std::size_t row = 0; row < batch_.rows(); ++row) counted += batch_.counts(row) ? 1 : 0;
    const double row = static_cast<double>(shape_.vocab * size_of(shape_.dtype));
    return row * (reads * static_cast<double>(counted) + writes * static_cast<double>(shape_.rows));
  }

  void add(const std::string& name, double bytes_moved, std::function<void(std::size_t)> enqueue,
           std::function<void(std::size_t)> prepare = {}) {
    Timed timed;
    timed.name = name;
    timed.bytes = bytes_moved;
    timed.enqueue = std::move(enqueue);
    timed.prepare = std::move(prepare);
    things_.push_back(std::move(timed));
  }

  void copy(const DeviceMatrix& from, const DeviceMatrix& to) {
    require(cudaMemcpyAsync(to.view().data, from.view().data, from.view().span_bytes(),
                            cudaMemcpyDeviceToDevice, stream_),
            "a copy");
  }

  void add_copies() {
    const double unit = static_cast<double>(shape_.rows * shape_.vocab * size_of(shape_.dtype));
    const int processors = machine().multiprocessors;
    // Whole 16-byte vectors: of an odd length the last few bytes are left out, of the count too.
    const std::size_t whole = sets_[0].p.view().span_bytes() / 16 * 16;
    add("copy, cudaMemcpy", 4 * unit, [this](std::size_t i) {
      copy(set(i).p, set(i).grad_p);
      copy(set(i).q, set(i).grad_q);
    });
    add("copy, 16-byte vectors", 4 * static_cast<double>(whole), [=](std::size_t i) {
      Buffers& at = set(i);
      require(launch_copy(at.p.view().data, at.grad_p.view().data, whole, processors, stream_),
              "a copy");
      require(launch_copy(at.q.view().data, at.grad_q.view().data, whole, processors, stream_),
              "a copy");
    });
    if (!shape_.headline) return;
    add("read", 2 * static_cast<double>(whole), [=](std::size_t i) {
      Buffers& at = set(i);
      void* sink = at.grad_p.view().data;
      require(launch_read(at.p.view().data, whole, sink, processors, stream_), "a read");
      require(launch_read(at.q.view().data, whole, sink, processors, stream_), "a read");
    });
    add("write", 2 * static_cast<double>(whole), [=](std::size_t i) {
      Buffers& at = set(i);
      require(launch_write(at.grad_p.view().data, whole, processors, stream_), "a write");
      require(launch_write(at.grad_q.view().data, whole, processors, stream_), "a write");
    });
  }

  void add_fused(const std::string& name, Walk walk) {
    add(name, bytes(2, 2), [this, walk](std::size_t i) {
      Buffers& at = set(i);
      launch(machine_for(walk, context_.device(), batch_.row_bytes()),
             rows_.papo_loss(at.p.view(), at.q.view(), at.grad_p.view(), at.grad_q.view()),
             scratch_, stream_);
    });
  }

  void add_stats(const std::string& name, Walk walk) {
    add(name, bytes(2, 0), [this, walk](std::size_t i) {
      launch(machine_for(walk, context_.device(), batch_.row_bytes()),
             rows_.token_stats(set(i).p.view(), set(i).q.view()), scratch_, stream_);
    });
  }

  void gradients(std::size_t i) {
    Buffers& at = set(i);
    launch(machine(),
           rows_.token_stats_grad(at.p.view(), at.q.view(), at.grad_p.view(), at.grad_q.view()),
           scratch_, stream_);
  }

  void add_ops() {
    add_fused("fused", Walk::planned);
    // The gradients' buffers stand in for logits that are given up; what they hold is put back before each launch.
    add(
        "fused, in place", bytes(2, 2),
        [this](std::size_t i) {
          Buffers& at = set(i);
          launch(machine(),
                 rows_.papo_loss(at.grad_p.view(), at.grad_q.view(), at.grad_p.view(),
                                 at.grad_q.view()),
                 scratch_, stream_);
        },
        [this](std::size_t i) {
          copy(set(i).p, set(i).grad_p);
          copy(set(i).q, set(i).grad_q);
        });
    add_stats("forward", Walk::planned);
    add("gradients alone", bytes(2, 2), [this](std::size_t i) { gradients(i); });
    if (!shape_.headline) return;
    add("forward, then gradients", bytes(2, 2), [this](std::size_t i) {
      launch(machine(), rows_.token_stats(set(i).p.view(), set(i).q.view()), scratch_, stream_);
      gradients(i);
    });
  }

  void add_walks() {
    for (const Walk walk : {Walk::widest, Walk::streaming, Walk::rows}) {
      add_fused(std::string("fused, ") + name_of(walk), walk);
      add_stats(std::string("forward, ") + name_of(walk), walk);
    }
  }

  /// The whole op, as a caller sees it: [rows] numbers up and down, and waiting.
  void add_call() {
    Timed timed;
    timed.name = "the op papo_loss, host to host";
    timed.bytes = bytes(2, 2);
    timed.on_host = true;
    timed.enqueue = [this](std::size_t i) {
      Buffers& at = set(i);
      require(gpu::run(context_.registry, "papo_loss",
                       papo_loss_call(batch_, at.p.view(), at.q.view(), at.grad_p.view(),
                                      at.grad_q.view(), outputs_)));
    };
    things_.push_back(std::move(timed));
  }

  json::Object tell() const;
  void tell_target(const Timed& timed, const Sample& sample) const;

  Context& context_;
  Shape shape_;
  cudaStream_t stream_;
  ScratchMemory scratch_;
  Batch batch_;
  DirectRows rows_;
  std::vector<Buffers> sets_;
  LossOutputs outputs_;
  std::vector<Timed> things_;
};

std::string line(const char* format, const std::string& name, double a, double b, double c,
                 double d, double e, double f) {
  char text[160];
  std::snprintf(text, sizeof text, format, name.c_str(), a, b, c, d, e, f);
  return text;
}

void Bench::tell_target(const Timed& timed, const Sample& sample) const {
  if (!shape_.headline || shape_.vocab != 151'936) return;
  for (const Target& target : kTargets) {
    if (timed.name != target.name) continue;
    const double over = 100 * (sample.ms / target.ms - 1);
    char text[120];
    std::snprintf(text, sizeof text, "      target (H200) %.2f ms: %s by %.1f %%", target.ms,
                  over <= 0 ? "met" : "missed", std::fabs(over));
    context_.report.say(text);
  }
}

json::Object Bench::tell() const {
  std::vector<Sample> samples;
  double ceiling = 0;
  for (const Timed& timed : things_) {
    samples.push_back(summarise(timed.milliseconds));
    if (timed.name.rfind("copy", 0) == 0) {
      ceiling = std::max(ceiling, timed.bytes / samples.back().ms * 1e-6);
    }
  }
  const Case& spec = batch_.spec;
  context_.report.say("\n" + spec.name() + ", " + std::to_string(sets_.size()) +
                      " sets of buffers; copy bandwidth " + show(std::round(ceiling)) + " GB/s");
  context_.report.say(
      "  what                                 ms       +-     GB moved     GB/s   floor ms   "
      "share");
  json::Array variants;
  for (std::size_t i = 0; i < things_.size(); ++i) {
    const Timed& timed = things_[i];
    const Sample& sample = samples[i];
    const double bandwidth = timed.bytes / sample.ms * 1e-6;
    const double floor_ms = timed.bytes / ceiling * 1e-6;
    context_.report.say(line("  %-32s %8.4f %6.1f %% %10.4f %9.0f %9.4f %6.1f %%", timed.name,
                             sample.ms, 100 * sample.spread, timed.bytes * 1e-9, bandwidth,
                             floor_ms, 100 * bandwidth / ceiling));
    tell_target(timed, sample);
    variants.add_value(json::Object()
                           .set("name", timed.name)
                           .set("ms", sample.ms)
                           .set("spread", sample.spread)
                           .set("rounds", sample.count)
                           .set("bytes", timed.bytes)
                           .set("gigabytesPerSecond", bandwidth)
                           .set("floorMs", floor_ms)
                           .set("shareOfCopy", bandwidth / ceiling));
  }
  const cuda::PapoLossArgs args = rows_.papo_loss(sets_[0].p.view(), sets_[0].q.view(),
                                                  sets_[0].grad_p.view(), sets_[0].grad_q.view());
  const std::size_t scratch = cuda::scratch_bytes(machine(), args);
  context_.report.say("  memory beyond inputs and outputs: " + std::to_string(scratch) +
                      " bytes of scratch; the op stages its [rows] numbers in " +
                      std::to_string(rows_.bytes()) + " bytes" +
                      (scratch < 1'000'000 ? "" : " (target of 1 MB missed)"));
  return json::Object()
      .set("rows", spec.rows)
      .set("vocab", spec.vocab)
      .set("dtype", papo::name_of(spec.dtype))
      .set("logits", gpu::name_of(spec.logits))
      .set("maskShare", std::fmax(0, spec.mask_share))
      .set("sets", sets_.size())
      .set("copyGigabytesPerSecond", ceiling)
      .set("scratchBytes", scratch)
      .set("stagedBytes", rows_.bytes())
      .set("variants", variants);
}

json::Array cluster_table(Context& context) {
  json::Array table;
  context.report.say("clusters that run at once (blocks of 256 threads):");
  for (const std::size_t shared : {std::size_t{32} << 10, std::size_t{76'800},
                                   std::size_t{150} << 10, std::size_t{200} << 10}) {
    std::string text = "  " + std::to_string(shared) + " bytes each:";
    for (const int size : {1, 2, 4, 8, 16}) {
      const int clusters = active_clusters(size, 256, shared);
      text += "  " + std::to_string(clusters) + " of " + std::to_string(size);
      table.add_value(json::Object()
                          .set("clusterSize", size)
                          .set("sharedBytes", shared)
                          .set("activeClusters", clusters));
    }
    context.report.say(text);
  }
  return table;
}

}  // namespace

void timing(Context& context) {
  const double start = seconds();
  json::Array clusters;
  if (cuda::machine_of(context.device()).clusters) clusters = cluster_table(context);
  cudaStream_t stream = nullptr;
  require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  json::Array results;
  for (const Shape& shape : shapes(context.options.extent)) {
    if (context.options.headline && !shape.headline) continue;
    results.add_value(Bench(context, shape, stream).run());
  }
  require(cudaStreamDestroy(stream), "a stream");
  context.report.say("timing: " + std::to_string(static_cast<int>(seconds() - start)) + " s");
  context.report.save("timing", json::Object()
                                    .set("clusters", clusters)
                                    .set("shapes", results)
                                    .set("seconds", seconds() - start));
}

}  // namespace papo::gpu
