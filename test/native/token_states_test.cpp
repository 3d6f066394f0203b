// States of parts of a vocabulary: on every instruction set the parts together are the whole, whatever they hold.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/half.hpp"
#include "cpu/backend.hpp"
#include "core/floating_point.hpp"
#include "math/token_lines.hpp"
#include "ops/state_checks.hpp"

using namespace papo;

namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kLowest = std::numeric_limits<float>::lowest();
constexpr double kTemperature = 0.7;

/// Both policies' columns [begin, end) of one row, in memory that ends where the part does.
template <typename T>
struct Part {
  std::size_t begin;
  std::vector<T> p, q;

  Part(const std::vector<T>& row_p, const std::vector<T>& row_q, std::size_t first, std::size_t end)
      : begin(first) {
    using Difference = typename std::vector<T>::difference_type;
    const auto from = static_cast<Difference>(first), to = static_cast<Difference>(end);
    p.assign(row_p.begin() + from, row_p.begin() + to);
    q.assign(row_q.begin() + from, row_q.begin() + to);
  }

  std::size_t columns() const { return p.size(); }
  TensorView view(std::vector<T>& of, DType dtype) const {
    return {of.data(), 1, of.size(), of.size(), dtype, {}};
  }
};

template <typename T>
std::vector<T> stored(const std::vector<float>& row) {
  std::vector<T> result(row.size());
  for (std::size_t v = 0; v < row.size(); ++v) from_float(row[v], result[v]);
  return result;
}

std::vector<float> normal_row(std::size_t vocab, float sigma, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, sigma);
  std::vector<float> row(vocab);
  for (float& x : row) x = normal(random);
  return row;
}

template <typename T>
std::vector<Part<T>> parts_of(const std::vector<float>& p, const std::vector<float>& q,
                              const std::vector<std::size_t>& cuts) {
  std::vector<Part<T>> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : p.size();
    parts.emplace_back(stored<T>(p), stored<T>(q), begin, end);
    begin = end;
  }
  return parts;
}

struct State {
  double lines[kStateCount];
};

template <typename T>
State partial(const cpu::IsaTable& table, Part<T>& part, DType dtype, std::int32_t id,
              std::size_t vocab) {
  State state;
  REQUIRE(table
              .token_stats_partial({1,
                                    part.columns(),
                                    part.view(part.p, dtype),
                                    part.view(part.q, dtype),
                                    &id,
                                    nullptr,
                                    state.lines,
                                    kTemperature,
                                    {part.begin, vocab}},
                                   0, 1)
              .ok());
  REQUIRE(check_states("test", "states", state.lines, nullptr, 1).ok());
  return state;
}

State merged(const cpu::IsaTable& table, const State& a, const State& b) {
  State state;
  REQUIRE(table.token_stats_merge({1, a.lines, b.lines, state.lines}, 0, 1).ok());
  REQUIRE(check_states("test", "states", state.lines, nullptr, 1).ok());
  return state;
}

TokenStatistics finished(const cpu::IsaTable& table, const State& state) {
  double statistics[kStatisticCount];
  REQUIRE(table
              .token_stats_finish(
                  {1, state.lines, nullptr, statistics, nullptr, kTemperature, true, false}, 0, 1)
              .ok());
  return load_statistics(statistics, 1, 0);
}

/// Statistics by parts against the whole row's, and gradients of the parts against those of the whole, to the bit.
template <typename T>
void check_parts(const std::vector<float>& p, const std::vector<float>& q, DType dtype,
                 const std::vector<std::size_t>& cuts) {
  const std::size_t vocab = p.size();
  const auto id = static_cast<std::int32_t>(vocab / 2);
  std::vector<Part<T>> parts = parts_of<T>(p, q, cuts);
  Part<T> whole = parts_of<T>(p, q, {}).front();
  const TensorView whole_p = whole.view(whole.p, dtype), whole_q = whole.view(whole.q, dtype);
  for (const cpu::Isa isa : cpu::available_isas()) {
    CAPTURE(std::string(cpu::name_of(isa)));
    CAPTURE(vocab);
    const KernelFloatingPoint scope;
    const cpu::IsaTable& table = cpu::table_of(isa);
    State together = partial(table, parts.front(), dtype, id, vocab);
    for (std::size_t i = 1; i < parts.size(); ++i) {
      together = merged(table, together, partial(table, parts[i], dtype, id, vocab));
    }
    const TokenStatistics s = finished(table, together);

    double statistics[kStatisticCount];
    const Status status = table.token_stats(
        {1, vocab, whole_p, whole_q, &id, nullptr, statistics, nullptr, kTemperature, false}, 0, 1);
    REQUIRE(status.ok());
    const TokenStatistics row = load_statistics(statistics, 1, 0);
    const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-6).scale(1); };
    CHECK(s.log_prob == near(row.log_prob));
    CHECK(s.masked_log_prob == near(row.masked_log_prob));
    CHECK(s.log_sum_exp == near(row.log_sum_exp));
    CHECK(s.masked_log_sum_exp == near(row.masked_log_sum_exp));
    CHECK(s.entropy == near(row.entropy));
    CHECK(s.masked_entropy == near(row.masked_entropy));
    CHECK(s.kl == near(row.kl));
    CHECK(s.reverse_kl == near(row.reverse_kl));

    const double cotangents[kCotangentCount] = {-0.7, 0.4, 0.2, -0.3, 0.6, 0.5};
    const auto gradients = [&](Part<T>& part, std::vector<T>& grad_p, std::vector<T>& grad_q) {
      grad_p.resize(part.columns());
      grad_q.resize(part.columns());
      REQUIRE(table
                  .token_stats_grad({1,
                                     part.columns(),
                                     part.view(part.p, dtype),
                                     part.view(part.q, dtype),
                                     part.view(grad_p, dtype),
                                     part.view(grad_q, dtype),
                                     &id,
                                     nullptr,
                                     statistics,
                                     cotangents,
                                     kTemperature,
                                     1.0,
                                     false,
                                     {part.begin, vocab}},
                                    0, 1)
                  .ok());
    };
    std::vector<T> all_p, all_q, grad_p, grad_q;
    gradients(whole, all_p, all_q);
    for (Part<T>& part : parts) {
      gradients(part, grad_p, grad_q);
      const std::size_t bytes = part.columns() * sizeof(T);
      CHECK(std::memcmp(grad_p.data(), all_p.data() + part.begin, bytes) == 0);
      CHECK(std::memcmp(grad_q.data(), all_q.data() + part.begin, bytes) == 0);
    }
  }
}

void check_all(const std::vector<float>& p, const std::vector<float>& q,
               const std::vector<std::size_t>& cuts) {
  check_parts<float>(p, q, DType::float32, cuts);
  check_parts<BFloat16>(p, q, DType::bfloat16, cuts);
  check_parts<Float16>(p, q, DType::float16, cuts);
}

bool same_bits(const State& a, const State& b) {
  return std::memcmp(a.lines, b.lines, sizeof a.lines) == 0;
}

}  // namespace

TEST_CASE("parts of any width together are the row, and their gradients the row's gradient") {
  for (std::size_t vocab = 2; vocab <= 40; ++vocab) {
    check_all(normal_row(vocab, 3, 1), normal_row(vocab, 3, 2), {1});
    check_all(normal_row(vocab, 3, 1), normal_row(vocab, 3, 2), {vocab / 2});
    check_all(normal_row(vocab, 3, 1), normal_row(vocab, 3, 2), {vocab - 1});
  }
  check_all(normal_row(5003, 3, 3), normal_row(5003, 3, 4), {1, 1024, 1025, 2500, 5002});
}

TEST_CASE(
    "parts far above or below the others, and parts of the lowest numbers, keep their place") {
  std::vector<float> p = normal_row(4000, 2, 5), q = normal_row(4000, 2, 6);
  for (std::size_t v = 0; v < 4000; ++v) {
    p[v] += static_cast<float>(v / 1000) * 30;
    q[v] -= static_cast<float>(v / 1000) * 30;
  }
  check_all(p, q, {1000, 2000, 3000});
  // Suppressed columns as some samplers write them, in both policies.
  std::vector<float> low_p = normal_row(4000, 2, 7), low_q = normal_row(4000, 2, 8);
  for (std::size_t v = 0; v < 4000; ++v) {
    if (v / 1000 != 2) low_p[v] = low_q[v] = kLowest;
  }
  check_parts<float>(low_p, low_q, DType::float32, {1000, 2000, 2500, 3000});
  check_parts<float>(low_p, low_q, DType::float32, {1500});
}

TEST_CASE("exchanging two states changes no bit, nor does an empty one") {
  const std::vector<float> p = normal_row(3000, 2, 9), q = normal_row(3000, 2, 10);
  std::vector<Part<float>> parts = parts_of<float>(p, q, {1300});
  const std::vector<float> nothing(700, -kInf);
  Part<float> empty = parts_of<float>(nothing, nothing, {}).front();
  empty.begin = 3000;
  for (const cpu::Isa isa : cpu::available_isas()) {
    const cpu::IsaTable& table = cpu::table_of(isa);
    const State a = partial(table, parts[0], DType::float32, 7, 3700);
    const State b = partial(table, parts[1], DType::float32, 7, 3700);
    const State none = partial(table, empty, DType::float32, 7, 3700);
    CHECK(same_bits(merged(table, a, b), merged(table, b, a)));
    CHECK(same_bits(merged(table, a, none), a));
    CHECK(same_bits(merged(table, none, b), b));
    State initial;
    store_state(RowState(), initial.lines, 1, 0);
    CHECK(same_bits(none, initial));
  }
}

TEST_CASE_TEMPLATE("sums that are scaled to nothing leave nothing behind", Sum, float, double) {
  RowSums<Sum> low;
  low.reference_p = low.reference_q = kLowest;
  low.sum_p = low.sum_q = 8;
  low.dot_p = low.dot_q = -1;
  low.cross_p = static_cast<Sum>(INFINITY);
  RowSums<Sum> high;
  high.reference_p = 3;
  high.reference_q = -2;
  high.sum_p = 2;
  high.sum_q = 4;
  high.dot_p = high.dot_q = -1;
  high.cross_p = high.cross_q = 1;
  RowSums<Sum> both = low;
  merge(both, high);
  CHECK(both.sum_p == 2);
  CHECK(both.sum_q == 4);
  CHECK(both.dot_p == -1);
  CHECK(both.dot_q == -1);
  CHECK(both.cross_p == 1);
  CHECK(both.cross_q == 1);
}

TEST_CASE("a sealed state says once what it says: no signs of zero, one NaN, one nothing") {
  RowState state;
  state.reference_p = -0.0F;
  state.sum_p = 2;
  state.dot_p = -0.0;
  state.sum_q = std::numeric_limits<double>::infinity();
  state.chosen_q = kInf;
  const RowState sound = sealed(state);
  CHECK_FALSE(std::signbit(sound.reference_p));
  CHECK_FALSE(std::signbit(sound.dot_p));
  CHECK(sound.sum_p == 2);
  CHECK(std::isnan(sound.sum_q));
  CHECK(sound.reference_q == kNoReference);
  CHECK(std::isnan(sound.cross_p));
  CHECK(std::isnan(sound.cross_q));
  CHECK(sound.chosen_q == -kInf);
  RowState none;
  none.reference_p = -1e38F;
  none.uncovered_p = 3;
  CHECK(sealed(none).reference_p == kNoReference);
  CHECK(sealed(none).uncovered_p == -kInf);
}
