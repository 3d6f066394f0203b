// token_stats_grad on the simulated device against float64: every length and place, accumulated, in place, in shards.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "kernel_rows.hpp"
#include "row_truth.hpp"
#include "shim/shim.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr TokenCotangents kEvery = {-0.7, 0.4, 0.2, -0.3, 0.6, 0.5};
/// float32 lanes with a GPU's exponential, relative to the row's largest gradient.
constexpr double kMostError = 4e-6;

/// What each dtype of logits may have gradients in.
constexpr std::pair<DType, DType> kPairs[] = {{DType::float32, DType::float32},
                                              {DType::bfloat16, DType::bfloat16},
                                              {DType::bfloat16, DType::float32},
                                              {DType::float16, DType::float16},
                                              {DType::float16, DType::float32}};

/// The rows' true statistics and one set of cotangents for all of them.
Cotangents cotangents_of(const Rows& rows, const TokenCotangents& c) {
  Cotangents given;
  given.statistics.resize(kStatisticCount * rows.rows);
  given.cotangents.resize(kCotangentCount * rows.rows);
  for (std::size_t row = 0; row < rows.rows; ++row) {
    TokenStatistics statistics;
    if (rows.mask.empty() || rows.mask[row] != 0) statistics = truth_of(rows, row).statistics;
    store_statistics(statistics, given.statistics.data(), rows.rows, row);
    store_cotangents(c, given.cotangents.data(), rows.rows, row);
  }
  return given;
}

double worst_error(const Rows& rows, const Loss& got, const TokenCotangents& c, double scale,
                   DType dtype) {
  Errors errors;
  for (std::size_t row = 0; row < rows.rows; ++row) {
    if (!rows.mask.empty() && rows.mask[row] == 0) continue;
    const RowTruth truth = truth_of(rows, row, c);
    if (!got.grad_p.empty()) {
      errors.add_gradients(got.grad_p, row, truth.grad_p, scale, rounding_of(dtype));
    }
    if (!got.grad_q.empty()) {
      errors.add_gradients(got.grad_q, row, truth.grad_q, scale, rounding_of(dtype));
    }
  }
  return errors.grad;
}

void check_gradients(const Rows& rows, const GradientsWanted& wanted,
                     const TokenCotangents& c = kEvery) {
  TokenCotangents used = c;
  if (!rows.masked) used.masked_log_prob = used.masked_entropy = used.kl = used.reverse_kl = 0;
  Cotangents given = cotangents_of(rows, used);
  given.grad_scale = -1.75;
  const Loss got = walk_up(rows, given, wanted);
  CAPTURE(rows.describe());
  CAPTURE(std::string(name_of(wanted.dtype)));
  CHECK(worst_error(rows, got, used, given.grad_scale, wanted.dtype) < kMostError);
  CHECK(got.surroundings_untouched);
}

}  // namespace

TEST_CASE("every length of a gradient is written to the element, in every dtype") {
  for (const std::size_t vocab : {2, 7, 8, 9, 31, 1000, 1024, 4099}) {
    for (const auto& [dtype, gradient_dtype] : kPairs) {
      for (const bool masked : {false, true}) {
        Rows rows(dtype, 2, vocab, masked, static_cast<unsigned>(vocab));
        rows.place_p.padding = rows.place_q.padding = vocab % 3;
        GradientsWanted wanted;
        wanted.dtype = gradient_dtype;
        wanted.place_p.padding = wanted.place_q.padding = vocab % 3;
        check_gradients(rows, wanted);
      }
    }
  }
}

TEST_CASE("a long row is written by many blocks") {
  GradientsWanted wanted;
  wanted.dtype = DType::bfloat16;
  check_gradients(Rows(DType::bfloat16, 1, 50257, true), wanted);
}

TEST_CASE("logits and gradients may begin anywhere, alike or not") {
  for (const auto& [dtype, gradient_dtype] : kPairs) {
    for (std::size_t offset = 0; offset < 8; ++offset) {
      Rows rows(dtype, 3, 301, true, 3);
      rows.place_p = {offset, 1};
      rows.place_q = {(offset * 3) % 8, offset % 2};
      GradientsWanted wanted;
      wanted.dtype = gradient_dtype;
      wanted.place_p = {(offset * 5 + 3) % 8, 2};
      wanted.place_q = {offset, 1};
      check_gradients(rows, wanted);
    }
  }
}

TEST_CASE("either gradient may be left out, and a cotangent of 0 leaves out its term") {
  const Rows rows(DType::bfloat16, 2, 2500, true, 4);
  GradientsWanted wanted;
  wanted.q = false;
  check_gradients(rows, wanted);
  check_gradients(rows, wanted, {-0.7, 0, 0.2, 0, 0, 0});
  wanted.q = true;
  wanted.p = false;
  check_gradients(rows, wanted);
  wanted.p = true;
  for (int i = 0; i < kCotangentCount; ++i) {
    double values[kCotangentCount] = {};
    values[i] = 0.8;
    check_gradients(rows, wanted,
                    {values[0], values[1], values[2], values[3], values[4], values[5]});
  }
}

TEST_CASE("gradients may take the place of their logits") {
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
    Rows rows(dtype, 2, 4099, true, 5);
    rows.place_p = {3, 2};
    rows.place_q = {3, 2};
    GradientsWanted wanted;
    wanted.dtype = dtype;
    wanted.in_place = true;
    check_gradients(rows, wanted);
  }
}

TEST_CASE("accumulated gradients are added to what was there, rows that do not count to nothing") {
  for (const auto& [dtype, gradient_dtype] : kPairs) {
    Rows rows(dtype, 3, 1003, true, 6);
    rows.mask = {1, 0, 1};
    Cotangents given = cotangents_of(rows, kEvery);
    given.accumulate = true;
    given.before_p = rounded(normal_numbers(rows.p.size(), 0.5F, 7), gradient_dtype);
    given.before_q = rounded(normal_numbers(rows.p.size(), 0.5F, 8), gradient_dtype);
    GradientsWanted wanted;
    wanted.dtype = gradient_dtype;
    wanted.place_p.padding = wanted.place_q.padding = 1;
    const Loss got = walk_up(rows, given, wanted);
    CHECK(got.surroundings_untouched);
    for (const auto& [after, before, which] :
         {std::tuple{&got.grad_p, &given.before_p, 0}, {&got.grad_q, &given.before_q, 1}}) {
      for (std::size_t row = 0; row < rows.rows; ++row) {
        const RowTruth truth = truth_of(rows, row, kEvery);
        const std::vector<double>& grad = which == 0 ? truth.grad_p : truth.grad_q;
        for (std::size_t v = 0; v < rows.vocab; ++v) {
          const std::size_t i = row * rows.vocab + v;
          const auto was = static_cast<double>((*before)[i]);
          const auto is = static_cast<double>((*after)[i]);
          if (row == 1) {
            CHECK(is == was);
          } else {
            const double want = was + grad[v];
            CHECK(std::fabs(is - want) <= 1e-6 + std::fabs(want) * rounding_of(gradient_dtype));
          }
        }
      }
    }
  }
}

TEST_CASE("rows that do not count get zeros, and their logits and statistics are not looked at") {
  for (const DType gradient_dtype : {DType::bfloat16, DType::float32}) {
    Rows rows(DType::bfloat16, 3, 700, true, 9);
    rows.mask = {0, 1, 0};
    for (const std::size_t row : {0UL, 2UL}) {
      for (std::size_t v = 0; v < rows.vocab; ++v) rows.p[row * rows.vocab + v] = kNaN;
      rows.ids[row] = -1;
    }
    GradientsWanted wanted;
    wanted.dtype = gradient_dtype;
    wanted.place_p = {1, 1};
    check_gradients(rows, wanted);
    const Loss got = walk_up(rows, cotangents_of(rows, kEvery), wanted);
    for (std::size_t v = 0; v < rows.vocab; ++v) {
      CHECK(got.grad_p[v] == 0);
      CHECK(got.grad_q[2 * rows.vocab + v] == 0);
    }
    // Where zeros are there already nothing is written, and what is there in truth is NaN.
    wanted.zeroed = true;
    const Loss kept = walk_up(rows, cotangents_of(rows, kEvery), wanted);
    for (std::size_t v = 0; v < rows.vocab; ++v) {
      CHECK(std::isnan(kept.grad_p[v]));
      CHECK(kept.grad_p[rows.vocab + v] == got.grad_p[rows.vocab + v]);
      CHECK(std::isnan(kept.grad_q[2 * rows.vocab + v]));
    }
  }
}

TEST_CASE(
    "columns that are -Infinity get no gradient, and where an infinite KL is not used all is "
    "finite") {
  Rows rows(DType::float32, 2, 3000, true, 10);
  for (std::size_t v = 0; v < rows.vocab; ++v) {
    if (v % 5 == 0) rows.p[v] = rows.q[v] = -kInf;
  }
  rows.q[rows.vocab + 77] = -kInf;
  rows.p[rows.vocab + 78] = -kInf;
  rows.ids = {1, 79};
  check_gradients(rows, {}, {-0.7, 0.4, 0.2, -0.3, 0, 0});
  // An impossible token has no gradient, chosen or not.
  rows.ids = {1, 77};
  const TokenCotangents c = {-0.7, 0, 0.2, -0.3, 0, 0};
  const Loss got = walk_up(rows, cotangents_of(rows, c), {});
  CHECK(got.grad_p[0] == 0);
  CHECK(got.grad_q[0] == 0);
  CHECK(got.grad_p[rows.vocab + 78] == 0);
  CHECK(got.grad_q[rows.vocab + 77] == 0);
  for (const float x : got.grad_p) CHECK(std::isfinite(x));
  for (const float x : got.grad_q) CHECK(std::isfinite(x));
}

TEST_CASE("far from zero and near one the chosen token's gradient is exact") {
  Rows rows(DType::float32, 3, 2048, true, 11);
  rows.temperature = 1;
  for (std::size_t v = 0; v < rows.vocab; ++v) {
    rows.p[v] += 5e5F;
    rows.q[v] += 5e5F;
    rows.p[2 * rows.vocab + v] = rows.q[2 * rows.vocab + v] = -kInf;
  }
  // One token holds all but 1e-7 of the mass, another all of it.
  rows.p[rows.vocab + 3] = rows.q[rows.vocab + 3] = 35;
  rows.p[2 * rows.vocab + 4] = rows.q[2 * rows.vocab + 4] = 1e9F;
  rows.ids = {9, 3, 4};
  const TokenCotangents c = {-0.7, 0.4, 0, 0, 0, 0};
  const Loss got = walk_up(rows, cotangents_of(rows, c), {});
  for (std::size_t row = 0; row < 3; ++row) {
    const RowTruth truth = truth_of(rows, row, c);
    const auto id = static_cast<std::size_t>(rows.ids[row]);
    CHECK(static_cast<double>(got.grad_p[row * rows.vocab + id]) ==
          doctest::Approx(-0.7 * -std::expm1(truth.statistics.log_prob)).epsilon(1e-6));
  }
  for (std::size_t v = 0; v < rows.vocab; ++v) CHECK(got.grad_p[2 * rows.vocab + v] == 0);
}

TEST_CASE(
    "a row that lies at the dtype's lowest numbers has finite gradients, and none where it has no "
    "tokens") {
  Rows rows(DType::float32, 1, 700, true, 13);
  rows.temperature = 1;
  for (std::size_t v = 0; v < rows.vocab; ++v) {
    rows.p[v] = rows.q[v] = v % 3 == 0 ? -kInf : v % 2 == 0 ? -2e38F : -3e38F;
  }
  rows.ids = {4};
  // Down there float64 holds no log-sum-exp to the digit, on either engine.
  const Loss got = walk_up(rows, cotangents_of(rows, kEvery), {});
  for (std::size_t v = 0; v < rows.vocab; ++v) {
    CHECK(std::isfinite(got.grad_p[v]));
    CHECK(std::isfinite(got.grad_q[v]));
    if (v % 2 == 1 || v % 3 == 0) CHECK(got.grad_p[v] == 0);
  }
}

TEST_CASE("a shard's gradients from the whole row's statistics are the row's") {
  const Rows whole(DType::bfloat16, 2, 3000, true, 12);
  const Cotangents given = cotangents_of(whole, kEvery);
  const Loss want = walk_up(whole, given, {});
  for (const auto& [begin, end] : {std::pair{0UL, 1111UL}, {1111UL, 1112UL}, {1112UL, 3000UL}}) {
    Rows shard(DType::bfloat16, whole.rows, end - begin, true);
    shard.vocab_offset = static_cast<std::int64_t>(begin);
    shard.inverse_temperature_of_whole = whole.inverse_temperature();
    shard.ids = whole.ids;
    for (std::size_t row = 0; row < whole.rows; ++row) {
      std::copy(whole.row_p(row) + begin, whole.row_p(row) + end,
                shard.p.begin() + static_cast<std::ptrdiff_t>(row * shard.vocab));
      std::copy(whole.row_q(row) + begin, whole.row_q(row) + end,
                shard.q.begin() + static_cast<std::ptrdiff_t>(row * shard.vocab));
    }
    const Loss got = walk_up(shard, given, {});
    for (std::size_t row = 0; row < whole.rows; ++row) {
      for (std::size_t v = begin; v < end; ++v) {
        const std::size_t here = row * shard.vocab + v - begin;
        CHECK(got.grad_p[here] == want.grad_p[row * whole.vocab + v]);
        CHECK(got.grad_q[here] == want.grad_q[row * whole.vocab + v]);
      }
    }
  }
}

TEST_CASE("no rows and no gradients are no launch") {
  const std::size_t before = shim::kernels_run();
  TokenStatsGradArgs args;
  CHECK(launch_token_stats_grad(machine_of(0), args, nullptr) == cudaSuccess);
  args.pairs.rows = 3;
  CHECK(launch_token_stats_grad(machine_of(0), args, nullptr) == cudaSuccess);
  cudaDeviceSynchronize();
  CHECK(shim::kernels_run() == before);
}
