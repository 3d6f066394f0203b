#include "kernel_rows.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include <doctest/doctest.h>

#include "core/half.hpp"
#include "cpu/backend.hpp"
#include "core/floating_point.hpp"
#include "ops/vocab_shard.hpp"
#include "shim_array.hpp"

namespace papo::cuda {
namespace {

template <typename T>
using Array = shim::DeviceArray<T>;

/// The numbers on the device, or null if there are none.
template <typename T>
std::unique_ptr<Array<T>> on_device(const std::vector<T>& values) {
  return values.empty() ? nullptr : std::make_unique<Array<T>>(values);
}

template <typename T>
T* address(const std::unique_ptr<Array<T>>& array) {
  return array == nullptr ? nullptr : array->data();
}

/// Everything on the device that one launch reads.
struct Upload {
  DeviceMatrix p, q;
  std::unique_ptr<Array<std::int32_t>> ids, mask;
  Array<unsigned long long> row_error;
  RowPairs pairs;

  explicit Upload(const Rows& rows)
      : p(rows.dtype, rows.rows, rows.vocab, rows.place_p),
        q(rows.dtype, rows.masked ? rows.rows : 1, rows.masked ? rows.vocab : 1, rows.place_q),
        ids(on_device(rows.ids)),
        mask(on_device(rows.mask)),
        row_error(std::vector<unsigned long long>{kNoRowError}) {
    p.store(rows.p);
    if (rows.masked) q.store(rows.q);
    pairs.dtype = rows.dtype;
    pairs.logits = p.data();
    pairs.row_pitch = p.pitch();
    if (rows.masked) {
      pairs.masked_logits = q.data();
      pairs.masked_row_pitch = q.pitch();
    }
    pairs.rows = static_cast<std::int64_t>(rows.rows);
    pairs.vocab = static_cast<std::int64_t>(rows.vocab);
    pairs.token_ids = address(ids);
    pairs.mask = address(mask);
    pairs.vocab_offset = rows.vocab_offset;
    pairs.inverse_temperature = rows.inverse_temperature();
    pairs.row_error = row_error.data();
  }
};

/// What the teams of a launch exchange through, if it has any.
struct RoomForTeams {
  Array<char> memory;
  Scratch scratch;

  template <typename Args>
  explicit RoomForTeams(const Args& args)
      : memory(scratch_bytes(machine_of(0), args)),
        scratch({memory.data(), scratch_bytes(machine_of(0), args)}) {}
};

/// The gradients of one launch, in the logits' own memory or elsewhere.
struct GradientMemory {
  std::unique_ptr<DeviceMatrix> p, q;
  const DeviceMatrix* at_p = nullptr;
  const DeviceMatrix* at_q = nullptr;
  Gradients gradients;

  GradientMemory(const Rows& rows, const GradientsWanted& wanted, const Upload& upload) {
    const auto make = [&](bool asked, Place place, const DeviceMatrix& logits,
                          std::unique_ptr<DeviceMatrix>& own) -> const DeviceMatrix* {
      if (!asked) return nullptr;
      if (wanted.in_place) return &logits;
      own = std::make_unique<DeviceMatrix>(wanted.dtype, rows.rows, rows.vocab, place);
      return own.get();
    };
    at_p = make(wanted.p, wanted.place_p, upload.p, p);
    at_q = make(wanted.q && rows.masked, wanted.place_q, upload.q, q);
    gradients.dtype = wanted.dtype;
    gradients.zeroed = wanted.zeroed;
    if (at_p != nullptr) {
      gradients.grad_logits = at_p->data();
      gradients.row_pitch = at_p->pitch();
    }
    if (at_q != nullptr) {
      gradients.grad_masked_logits = at_q->data();
      gradients.masked_row_pitch = at_q->pitch();
    }
  }

  void read(Loss& loss) const {
    if (at_p != nullptr) loss.grad_p = at_p->load();
    if (at_q != nullptr) loss.grad_q = at_q->load();
    loss.surroundings_untouched = (at_p == nullptr || at_p->surroundings_untouched()) &&
                                  (at_q == nullptr || at_q->surroundings_untouched());
  }
};

/// A host matrix in the dtype, for the CPU's kernels.
struct HostMatrix {
  std::vector<char> bytes;
  TensorView view;

  HostMatrix(const std::vector<float>& values, DType dtype, std::size_t rows, std::size_t vocab)
      : bytes(rows * vocab * size_of(dtype)) {
    encode(values, dtype, bytes.data());
    view = {bytes.data(), rows, vocab, vocab, dtype, {}};
  }
};

const cpu::IsaTable& cpu_table() { return cpu::table_of(cpu::available_isas().front()); }

}  // namespace

Rows::Rows(DType logits_dtype, std::size_t row_count, std::size_t columns, bool has_masked,
           unsigned seed)
    : dtype(logits_dtype),
      rows(row_count),
      vocab(columns),
      masked(has_masked),
      p(normal_numbers(row_count * columns, 3, seed)) {
  if (masked) {
    q = p;
    const std::vector<float> noise = normal_numbers(q.size(), 1.5F, seed + 1000);
    for (std::size_t i = 0; i < q.size(); ++i) q[i] += noise[i];
  }
  round();
  std::mt19937 random(seed + 2000);
  for (std::size_t row = 0; row < rows; ++row) {
    ids.push_back(static_cast<std::int32_t>(random() % vocab));
  }
}

void Rows::round() {
  p = rounded(p, dtype);
  q = rounded(q, dtype);
}

float Rows::inverse_temperature() const {
  return inverse_temperature_of_whole != 0 ? inverse_temperature_of_whole
                                           : inverse_of(temperature, vocab);
}

std::string Rows::describe() const {
  return std::string(name_of(dtype)) + " [" + std::to_string(rows) + ", " + std::to_string(vocab) +
         "]" + (masked ? " masked" : "") + " offsets " + std::to_string(place_p.offset) + " " +
         std::to_string(place_q.offset) + " paddings " + std::to_string(place_p.padding) + " " +
         std::to_string(place_q.padding);
}

namespace {

Statistics walk_down(const Rows& rows, const Upload& upload, const Choice& choice,
                     StatisticsWanted wanted) {
  Statistics result;
  const Array<double> lines(std::vector<double>(kStatisticCount * rows.rows, -12345));
  const Array<double> states(std::vector<double>(kStateCount * rows.rows, -12345));
  const Array<std::int32_t> invalid(std::vector<std::int32_t>(rows.rows, -1));
  TokenStatsArgs args;
  args.pairs = upload.pairs;
  if (wanted.statistics) args.statistics = lines.data();
  if (wanted.states) args.states = states.data();
  args.invalid = invalid.data();
  args.skip_invalid = wanted.skip_invalid || !wanted.statistics;
  const RoomForTeams room(args);
  REQUIRE(launch_token_stats(machine_of(0), args, room.scratch, nullptr, choice) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  result.lines = lines.read();
  result.states = states.read();
  result.invalid = invalid.read();
  result.row_error = upload.row_error.read()[0];
  return result;
}

}  // namespace

Statistics walk_down(const Rows& rows, const Choice& choice, StatisticsWanted wanted) {
  return walk_down(rows, Upload(rows), choice, wanted);
}

Statistics walk_down_far(const Rows& rows, const Choice& choice, std::int64_t pitch) {
  Rows stored = rows;
  stored.rows = 1;
  Upload upload(stored);
  const Array<std::int32_t> ids(rows.ids);
  const Array<std::int32_t> mask(rows.mask);
  upload.pairs.rows = 2;
  upload.pairs.token_ids = ids.data();
  upload.pairs.mask = mask.data();
  upload.pairs.row_pitch = upload.pairs.masked_row_pitch = pitch;
  const auto before = [&](const void* data) {
    return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(data) -
                                         static_cast<std::uintptr_t>(pitch) * size_of(rows.dtype));
  };
  upload.pairs.logits = before(upload.pairs.logits);
  upload.pairs.masked_logits = before(upload.pairs.masked_logits);
  return walk_down(rows, upload, choice, {});
}

Statistics walk_down_on_cpu(const Rows& rows) {
  const KernelFloatingPoint scope;
  const HostMatrix p(rows.p, rows.dtype, rows.rows, rows.vocab);
  const HostMatrix q(rows.q, rows.dtype, rows.masked ? rows.rows : 0, rows.vocab);
  Statistics result;
  result.lines.resize(kStatisticCount * rows.rows);
  REQUIRE(cpu_table()
              .token_stats({rows.rows, rows.vocab, p.view, rows.masked ? q.view : TensorView(),
                            rows.ids.data(), rows.mask.empty() ? nullptr : rows.mask.data(),
                            result.lines.data(), nullptr, rows.temperature, false},
                           0, rows.rows)
              .ok());
  return result;
}

Objective::Objective(const Rows& rows, unsigned seed) {
  params.clip = {0.2, 0.28, 3};
  params.ref_kl_coef = 0.04;
  params.perception_kl_coef = 0.02;
  params.entropy_coef = 0.03;
  params.masked_entropy_coef = 0.05;
  params.masked_differentiable = rows.masked;
  const Statistics statistics = walk_down_on_cpu(rows);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 0.3);
  for (std::size_t row = 0; row < rows.rows; ++row) {
    old_log_probs.push_back(statistics.at(0, row) + normal(random));
    ref_log_probs.push_back(statistics.at(0, row) + normal(random));
    advantages.push_back(normal(random) * 4);
    weights.push_back(1 / static_cast<double>(rows.rows));
    entropy_weights.push_back(0.7 / static_cast<double>(rows.rows));
    if (!rows.masked) masked_log_probs.push_back(statistics.at(0, row) + normal(random));
  }
}

Loss loss_of(const Rows& rows, const Objective& objective, const GradientsWanted& wanted,
             const Choice& choice) {
  Upload upload(rows);
  const GradientMemory memory(rows, wanted, upload);
  Array<double> statistics(std::vector<double>(kStatisticCount * rows.rows, -12345));
  Array<double> terms(std::vector<double>(kTermCount * rows.rows, -12345));
  const auto masked_log_probs = on_device(objective.masked_log_probs);
  const auto old_log_probs = on_device(objective.old_log_probs);
  const auto ref_log_probs = on_device(objective.ref_log_probs);
  const auto advantages = on_device(objective.advantages);
  const auto weights = on_device(objective.weights);
  const auto entropy_weights = on_device(objective.entropy_weights);
  const auto perception_weights = on_device(objective.perception_weights);
  PapoLossArgs args;
  args.pairs = upload.pairs;
  args.gradients = memory.gradients;
  args.masked_log_probs = rows.masked ? nullptr : address(masked_log_probs);
  args.old_log_probs = address(old_log_probs);
  args.ref_log_probs = address(ref_log_probs);
  args.advantages = address(advantages);
  args.weights = address(weights);
  args.entropy_weights = address(entropy_weights);
  args.perception_weights = address(perception_weights);
  args.statistics = statistics.data();
  args.terms = terms.data();
  args.objective = objective.params;
  args.scale = objective.grad_scale * static_cast<double>(rows.inverse_temperature());
  const RoomForTeams room(args);
  REQUIRE(launch_papo_loss(machine_of(0), args, room.scratch, nullptr, choice) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  Loss loss;
  loss.statistics = statistics.read();
  loss.terms = terms.read();
  memory.read(loss);
  loss.row_error = upload.row_error.read()[0];
  return loss;
}

Loss loss_on_cpu(const Rows& rows, const Objective& objective, const GradientsWanted& wanted) {
  const KernelFloatingPoint scope;
  const HostMatrix p(rows.p, rows.dtype, rows.rows, rows.vocab);
  const HostMatrix q(rows.q, rows.dtype, rows.masked ? rows.rows : 0, rows.vocab);
  const std::vector<float> zeros(rows.rows * rows.vocab);
  HostMatrix grad_p(zeros, wanted.dtype, rows.rows, rows.vocab);
  HostMatrix grad_q(zeros, wanted.dtype, rows.rows, rows.vocab);
  const auto data = [](const std::vector<double>& values) {
    return values.empty() ? nullptr : values.data();
  };
  Loss loss;
  loss.statistics.resize(kStatisticCount * rows.rows);
  loss.terms.resize(kTermCount * rows.rows);
  papo_loss::Params params = {};
  params.rows = rows.rows;
  params.vocab = rows.vocab;
  params.logits = p.view;
  if (rows.masked) params.masked_logits = q.view;
  if (wanted.p) params.grad_logits = grad_p.view;
  if (wanted.q && rows.masked) params.grad_masked_logits = grad_q.view;
  params.masked_log_probs = rows.masked ? nullptr : data(objective.masked_log_probs);
  params.token_ids = rows.ids.data();
  params.mask = rows.mask.empty() ? nullptr : rows.mask.data();
  params.data = {data(objective.old_log_probs),   data(objective.ref_log_probs),
                 data(objective.advantages),      data(objective.weights),
                 data(objective.entropy_weights), data(objective.perception_weights)};
  params.statistics = loss.statistics.data();
  params.terms = loss.terms.data();
  params.objective = objective.params;
  params.temperature = rows.temperature;
  params.grad_scale = objective.grad_scale;
  const Status status = cpu_table().papo_loss(params, 0, rows.rows);
  CAPTURE(status.message());
  REQUIRE(status.ok());
  const std::size_t count = rows.rows * rows.vocab;
  if (wanted.p) loss.grad_p = decode(grad_p.bytes.data(), wanted.dtype, count);
  if (wanted.q && rows.masked) loss.grad_q = decode(grad_q.bytes.data(), wanted.dtype, count);
  return loss;
}

Loss walk_up(const Rows& rows, const Cotangents& given, const GradientsWanted& wanted) {
  Upload upload(rows);
  GradientMemory memory(rows, wanted, upload);
  if (!given.before_p.empty() && memory.p != nullptr) memory.p->store(given.before_p);
  if (!given.before_q.empty() && memory.q != nullptr) memory.q->store(given.before_q);
  Array<double> statistics(given.statistics);
  Array<double> cotangents(given.cotangents);
  TokenStatsGradArgs args;
  args.pairs = upload.pairs;
  args.gradients = memory.gradients;
  args.statistics = statistics.data();
  args.cotangents = cotangents.data();
  args.scale = given.grad_scale * static_cast<double>(rows.inverse_temperature());
  args.accumulate = given.accumulate;
  REQUIRE(launch_token_stats_grad(machine_of(0), args, nullptr) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  Loss loss;
  memory.read(loss);
  loss.row_error = upload.row_error.read()[0];
  return loss;
}

std::vector<Choice> every_choice() {
  std::vector<Choice> choices;
  for (const int parts : {1, 2, 4, 8, 16}) choices.push_back({Walk::resident, parts});
  for (const int parts : {1, 2, 3, 8, 16}) choices.push_back({Walk::streaming, parts});
  return choices;
}

std::string describe(const Choice& choice) {
  const char* walk = choice.walk == Walk::resident    ? "resident"
                     : choice.walk == Walk::streaming ? "streaming"
                                                      : "planned";
  return std::string(walk) + " " + std::to_string(choice.parts);
}

}  // namespace papo::cuda
