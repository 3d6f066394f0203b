#include <cstring>

#include "bandwidth.hpp"
#include "direct.hpp"
#include "stages.hpp"

namespace papo::gpu {
namespace {

/// Everything a fused call writes, as bytes.
struct Written {
  LossOutputs numbers;
  std::vector<char> p, q;

  bool operator==(const Written& other) const {
    const auto same = [](const std::vector<double>& a, const std::vector<double>& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), 8 * a.size()) == 0;
    };
    return same(numbers.statistics, other.numbers.statistics) &&
           same(numbers.terms, other.numbers.terms) && p == other.p && q == other.q;
  }
};

std::vector<char> bytes_of(const DeviceMatrix& matrix) {
  std::vector<char> bytes(matrix.layout().bytes());
  matrix.download(0, matrix.layout().elements(), bytes.data());
  return bytes;
}

class Repeated {
 public:
  Repeated(Context& context, const Case& spec)
      : context_(context), batch_(spec), scratch_(context.device()) {
    prepare(batch_, context.registry);
    const int device = context.device();
    p_ = DeviceMatrix(batch_.logits.layout(), device);
    q_ = DeviceMatrix(batch_.masked_logits.layout(), device);
    grad_p_ = DeviceMatrix(batch_.grad_layout(true), device);
    grad_q_ = DeviceMatrix(batch_.grad_layout(false), device);
    p_.upload(batch_.logits);
    q_.upload(batch_.masked_logits);
  }

  /// How many of `times` repeats differ from the first run.
  std::size_t differing(Walk walk, std::size_t times) {
    const cuda::Machine machine = machine_for(walk, context_.device(), batch_.row_bytes());
    DirectRows rows(batch_, context_.device());
    const Written first = once(machine, rows, 0, nullptr);
    std::size_t different = 0;
    for (std::size_t i = 1; i <= times; ++i) {
      // Other work at once, which takes multiprocessors and moves the blocks about.
      Traffic traffic(context_.device(), i % 2 == 0 ? 0 : std::size_t{8} << 20);
      Written again = once(machine, rows, i, &traffic);
      if (context_.options.plant == "repeat" && i == times) again.p.back() ^= 1;
      if (!(again == first)) ++different;
    }
    return different;
  }

 private:
  Written once(const cuda::Machine& machine, DirectRows& rows, std::size_t number,
               Traffic* traffic) {
    // What stood in the outputs before must not matter.
    grad_p_.fill(static_cast<float>(number));
    grad_q_.fill(-static_cast<float>(number));
    rows.reset();
    if (traffic != nullptr) traffic->start();
    cudaStream_t stream = nullptr;
    require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    launch(machine, rows.papo_loss(p_.view(), q_.view(), grad_p_.view(), grad_q_.view()), scratch_,
           stream);
    require(cudaStreamSynchronize(stream), "papo_loss");
    require(cudaStreamDestroy(stream), "a stream");
    return {rows.outputs(), interior(grad_p_), interior(grad_q_)};
  }

  /// The rows alone: gaps hold what `fill` wrote, which differs from run to run.
  static std::vector<char> interior(const DeviceMatrix& matrix) {
    const std::vector<char> all = bytes_of(matrix);
    const Layout2D& layout = matrix.layout();
    const std::size_t size = size_of(layout.dtype);
    std::vector<char> rows;
    rows.reserve(layout.rows * layout.columns * size);
    for (std::size_t row = 0; row < layout.rows; ++row) {
      const char* begin = all.data() + (layout.skew + row * layout.pitch()) * size;
      rows.insert(rows.end(), begin, begin + layout.columns * size);
    }
    return rows;
  }

  Context& context_;
  Batch batch_;
  ScratchMemory scratch_;
  DeviceMatrix p_, q_, grad_p_, grad_q_;
};

}  // namespace

void determinism(Context& context) {
  struct Shape {
    std::size_t rows, vocab;
    DType dtype;
  };
  std::vector<Shape> shapes = {{300, 151'936, DType::bfloat16}, {97, 50'257, DType::bfloat16},
                               {64, 151'936, DType::float32},   {33, 262'144, DType::float16},
                               {501, 4'099, DType::bfloat16},   {1, 128'256, DType::bfloat16}};
  std::size_t times = context.options.extent == Extent::full ? 20 : 6;
  if (context.options.extent == Extent::tiny || context.options.extent == Extent::small) {
    shapes = {{5, 1032, DType::bfloat16}, {3, 515, DType::float32}};
    times = 3;
  }
  const double start = seconds();
  const std::size_t failed_before = context.report.failures();
  std::size_t runs = 0;
  for (const Shape& shape : shapes) {
    Case spec;
    spec.rows = shape.rows;
    spec.vocab = shape.vocab;
    spec.dtype = shape.dtype;
    spec.mask_share = 0.1;
    spec.seed = context.options.seed;
    Repeated repeated(context, spec);
    for (const Walk walk : kAllWalks) {
      const std::size_t different = repeated.differing(walk, times);
      runs += times;
      context.report.check(different == 0, spec.name() + ", " + name_of(walk),
                           ": " + std::to_string(different) + " of " + std::to_string(times) +
                               " repeats gave other bits");
    }
  }
  const std::size_t failed = context.report.failures() - failed_before;
  context.report.say(
      "determinism: " + std::to_string(runs) + " repeats beside other work, " +
      (failed == 0 ? "all the same bits" : std::to_string(failed) + " cases differ") + ", " +
      std::to_string(static_cast<int>(seconds() - start)) + " s");
  context.report.save("determinism", json::Object()
                                         .set("repeats", runs)
                                         .set("differingCases", failed)
                                         .set("seconds", seconds() - start));
}

}  // namespace papo::gpu
