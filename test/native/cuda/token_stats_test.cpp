// token_stats on the simulated device: every length, place, dtype and way to walk, against float64.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
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
constexpr DType kLogits[] = {DType::float32, DType::float16, DType::bfloat16};
const Choice kPlanned;

/// Statistics within what the lanes' float32 and a GPU's exponential allow: the promise is 1e-6.
void check_statistics(const Rows& rows, const Choice& choice) {
  const Statistics got = walk_down(rows, choice);
  Errors errors;
  for (std::size_t row = 0; row < rows.rows; ++row) {
    if (!rows.mask.empty() && rows.mask[row] == 0) continue;
    errors.add_statistics(got, row, truth_of(rows, row).statistics, rows.masked);
    CHECK(got.invalid[row] == 0);
  }
  CAPTURE(rows.describe());
  CAPTURE(describe(choice));
  CHECK(errors.log_prob < 1e-6);
  CHECK(errors.entropy < 1e-6);
  CHECK(errors.kl < 1e-6);
  // A KL of far columns that nearly cancel carries both exponentials' 2^-22, some twenty times.
  CHECK(errors.relative_kl < 1e-5);
  CHECK(errors.log_sum_exp < 1e-6);
  CHECK(got.row_error == kNoRowError);
}

}  // namespace

TEST_CASE("every length of a row is read to the element, however it is walked") {
  for (const std::size_t vocab : {1, 2, 7, 8, 9, 31, 1000, 1024, 4099}) {
    for (const DType dtype : kLogits) {
      for (const bool masked : {false, true}) {
        Rows rows(dtype, 2, vocab, masked, static_cast<unsigned>(vocab));
        // The next row begins anywhere.
        rows.place_p.padding = rows.place_q.padding = vocab % 2 == 0 ? 0 : 5;
        for (const Choice choice : {Choice{Walk::resident, 1}, Choice{Walk::resident, 2},
                                    Choice{Walk::streaming, 1}, Choice{Walk::streaming, 3}}) {
          check_statistics(rows, choice);
        }
      }
    }
  }
}

TEST_CASE("vocabularies of models, once each, as planned") {
  for (const auto& [dtype, vocab] :
       {std::pair{DType::bfloat16, std::size_t{50257}}, {DType::bfloat16, std::size_t{151936}}}) {
    check_statistics(Rows(dtype, 1, vocab, true), kPlanned);
  }
}

TEST_CASE("a row's statistics hardly depend on how many blocks share it") {
  for (const DType dtype : kLogits) {
    const Rows rows(dtype, 2, 9000, true, 5);
    for (const Choice& choice : every_choice()) check_statistics(rows, choice);
  }
}

TEST_CASE("a row's statistics do not depend on the schedule, not in a bit") {
  Rows rows(DType::bfloat16, 3, 4500, true, 5);
  // The second row is refined.
  std::copy_n(rows.p.begin() + 4500, 4500, rows.q.begin() + 4500);
  rows.q[4500] += 0.25F;
  for (const Choice& choice : every_choice()) {
    CAPTURE(describe(choice));
    const Statistics first = walk_down(rows, choice);
    for (std::uint64_t seed = 1; seed < 6; ++seed) {
      shim::set_seed(seed);
      CHECK(walk_down(rows, choice).lines == first.lines);
    }
    shim::set_seed(0);
  }
}

TEST_CASE("a row has the same bits in any batch") {
  const Rows many(DType::bfloat16, 7, 4096, true, 6);
  for (const Choice choice : {kPlanned, Choice{Walk::streaming, 0}}) {
    const Statistics together = walk_down(many, choice);
    for (std::size_t row = 0; row < many.rows; ++row) {
      Rows one(DType::bfloat16, 1, 4096, true);
      one.p.assign(many.row_p(row), many.row_p(row) + many.vocab);
      one.q.assign(many.row_q(row), many.row_q(row) + many.vocab);
      one.ids = {many.ids[row]};
      const Statistics alone = walk_down(one, choice);
      for (std::size_t line = 0; line < kStatisticCount; ++line) {
        CHECK(alone.at(line, 0) == together.at(line, row));
      }
    }
  }
}

TEST_CASE("rows may begin anywhere, alike or not, and nothing between them is read") {
  for (const DType dtype : kLogits) {
    for (std::size_t offset = 0; offset < 8; ++offset) {
      Rows rows(dtype, 3, 3001, true, 7);
      rows.place_p = rows.place_q = {offset, offset % 3};
      check_statistics(rows, {Walk::resident, 2});
      check_statistics(rows, {Walk::streaming, 2});
      // Different distances from a multiple of 16 bytes: only streaming can.
      rows.place_q = {(offset * 5 + 1) % 8, 2};
      check_statistics(rows, kPlanned);
    }
  }
}

TEST_CASE("a row lies where 64 bits say") {
  // The first row does not count and is never touched, so only the second needs memory.
  for (const Choice choice : {Choice{Walk::resident, 1}, Choice{Walk::streaming, 1}}) {
    const Rows one(DType::bfloat16, 1, 512, true, 8);
    const Statistics want = walk_down(one, choice);
    Rows two = one;
    two.rows = 2;
    two.mask = {0, 1};
    two.ids = {0, one.ids[0]};
    const Statistics got = walk_down_far(two, choice, (std::int64_t{1} << 32) + 8);
    for (std::size_t line = 0; line < kStatisticCount; ++line) {
      CHECK(got.at(line, 1) == want.at(line, 0));
      CHECK(got.at(line, 0) == 0);
    }
  }
}

TEST_CASE("rows that climb, fall, peak, or are far from zero keep their digits") {
  for (const Choice choice : {Choice{Walk::resident, 2}, Choice{Walk::streaming, 1}}) {
    Rows rows(DType::float32, 6, 6000, true, 9);
    for (std::size_t v = 0; v < rows.vocab; ++v) {
      const float t = static_cast<float>(v);
      rows.p[v] = t * 0.02F;
      rows.q[v] = 90 - t * 0.02F;
      rows.p[rows.vocab + v] = 90 - t * 0.02F;
      rows.p[2 * rows.vocab + v] -= 100;
      rows.q[2 * rows.vocab + v] -= 100;
      rows.p[4 * rows.vocab + v] = 2.5F;
      rows.q[4 * rows.vocab + v] = -3;
    }
    rows.p[3 * rows.vocab + 4321] = rows.q[3 * rows.vocab + 4321] = 60;
    rows.p[5 * rows.vocab + 17] = 80;
    check_statistics(rows, choice);
  }
}

TEST_CASE("huge logits, and logits at the dtype's lowest number, are logits") {
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    for (const Choice choice : {Choice{Walk::resident, 2}, Choice{Walk::streaming, 1}}) {
      Rows rows(dtype, 4, 5000, true, 10);
      rows.temperature = 1;
      for (std::size_t v = 0; v < rows.vocab; ++v) {
        rows.p[v] += 1e4F;
        rows.q[v] += 1e4F;
        // Whole warps, blocks and slices see nothing but the lowest number.
        if (v < 3000) rows.p[2 * rows.vocab + v] = rows.q[2 * rows.vocab + v] = -3.38e38F;
        rows.p[3 * rows.vocab + v] = rows.q[3 * rows.vocab + v] = -3.38e38F;
      }
      rows.p[rows.vocab + 123] = rows.q[rows.vocab + 123] = 1e30F;
      rows.ids = {7, 123, 4000, 5};
      rows.round();
      check_statistics(rows, choice);
    }
  }
}

TEST_CASE("a vocabulary of one token, or one token left, comes out exact") {
  for (const DType dtype : kLogits) {
    Rows one(dtype, 3, 1, true);
    one.temperature = 0.3;
    const Statistics single = walk_down(one, kPlanned);
    for (std::size_t line = 0; line < 6; ++line) {
      for (std::size_t row = 0; row < 3; ++row) CHECK(single.at(line, row) == 0);
    }
    CHECK(single.at(6, 1) == static_cast<double>(one.p[1]));
  }
}

TEST_CASE("columns that are -Infinity in both policies count for nothing") {
  for (const DType dtype : kLogits) {
    for (const Choice choice :
         {Choice{Walk::resident, 1}, Choice{Walk::resident, 4}, Choice{Walk::streaming, 2}}) {
      Rows rows(dtype, 3, 5003, true, 11);
      for (std::size_t v = 0; v < rows.vocab; ++v) {
        if (v < 2600 || v % 7 == 3 || v >= 4990) rows.p[v] = rows.q[v] = -kInf;
        if (v != 17 && v != 4000) {
          rows.p[rows.vocab + v] = rows.q[rows.vocab + v] = -kInf;
        }
        if (v % 2 == 1) rows.p[2 * rows.vocab + v] = rows.q[2 * rows.vocab + v] = -kInf;
      }
      rows.ids = {2601, 17, 4};
      check_statistics(rows, choice);
    }
  }
}

TEST_CASE(
    "KL is infinite where the masked policy lacks what the policy has, in that direction only") {
  for (const Choice choice : {Choice{Walk::resident, 2}, Choice{Walk::streaming, 1}}) {
    Rows rows(DType::bfloat16, 4, 4004, true, 12);
    rows.q[1234] = -kInf;
    rows.p[rows.vocab + 4003] = -kInf;
    // No mass worth mentioning is missed: finite.
    rows.p[2 * rows.vocab + 55] = -200;
    rows.q[2 * rows.vocab + 55] = -kInf;
    // The chosen token itself is impossible in one policy.
    rows.p[3 * rows.vocab + 9] = -kInf;
    rows.ids = {5, 6, 7, 9};
    const Statistics got = walk_down(rows, choice);
    CHECK(std::isinf(got.at(4, 0)));
    CHECK(std::isfinite(got.at(5, 0)));
    CHECK(std::isfinite(got.at(4, 1)));
    CHECK(std::isinf(got.at(5, 1)));
    CHECK(std::isfinite(got.at(4, 2)));
    CHECK(std::isfinite(got.at(5, 2)));
    CHECK(got.at(0, 3) == -static_cast<double>(kInf));
    CHECK(std::isfinite(got.at(1, 3)));
    CHECK(got.row_error == kNoRowError);
    for (const std::size_t row : {0UL, 1UL, 2UL}) {
      const TokenStatistics want = truth_of(rows, row).statistics;
      CHECK(std::fabs(got.at(0, row) - want.log_prob) < 1e-6);
      CHECK(std::fabs(got.at(3, row) - want.masked_entropy) < 1e-6);
    }
  }
}

TEST_CASE("near-equal policies keep the relative precision of their KL") {
  for (const Choice& choice : every_choice()) {
    Rows rows(DType::float32, 4, 8300, true, 13);
    rows.temperature = 1;
    rows.q = rows.p;
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const float gap = std::pow(10.0F, -2 - static_cast<float>(row));
      const auto noise = normal_numbers(rows.vocab, gap, 14 + static_cast<unsigned>(row));
      for (std::size_t v = 0; v < rows.vocab; ++v) rows.q[row * rows.vocab + v] += noise[v];
    }
    const Statistics got = walk_down(rows, choice);
    CAPTURE(describe(choice));
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const TokenStatistics want = truth_of(rows, row).statistics;
      CHECK(want.kl < 1e-3);
      CHECK(got.at(4, row) == doctest::Approx(want.kl).epsilon(3e-6));
      CHECK(got.at(5, row) == doctest::Approx(want.reverse_kl).epsilon(3e-6));
    }
  }
  Rows equal(DType::bfloat16, 1, 3000, true, 15);
  equal.q = equal.p;
  const Statistics same = walk_down(equal, kPlanned);
  CHECK(same.at(4, 0) == 0);
  CHECK(same.at(5, 0) == 0);
}

TEST_CASE("unusable rows are named with their kind, the first of them, and the others are right") {
  for (const Choice choice :
       {Choice{Walk::resident, 1}, Choice{Walk::resident, 2}, Choice{Walk::streaming, 2}}) {
    const auto spoilt = [&](auto&& spoil) {
      Rows rows(DType::bfloat16, 4, 4103, true, 16);
      spoil(rows);
      return rows;
    };
    const auto kind_of = [&](const Rows& rows) { return walk_down(rows, choice).row_error; };
    const auto error = [](std::size_t row, RowErrorKind kind) {
      return row * kRowErrorKinds + static_cast<unsigned long long>(kind);
    };
    for (const std::size_t column : {0UL, 1UL, 2000UL, 4095UL, 4102UL}) {
      for (const float bad : {kNaN, kInf}) {
        CHECK(kind_of(spoilt([&](Rows& r) { r.p[r.vocab + column] = bad; })) ==
              error(1, RowErrorKind::logits_not_finite));
        CHECK(kind_of(spoilt([&](Rows& r) { r.q[2 * r.vocab + column] = bad; })) ==
              error(2, RowErrorKind::masked_not_finite));
      }
    }
    const auto fill = [](std::vector<float>& logits, std::size_t row, std::size_t vocab) {
      std::fill_n(logits.begin() + static_cast<std::ptrdiff_t>(row * vocab), vocab, -kInf);
    };
    CHECK(kind_of(spoilt([&](Rows& r) { fill(r.p, 3, r.vocab); })) ==
          error(3, RowErrorKind::logits_empty));
    CHECK(kind_of(spoilt([&](Rows& r) { fill(r.q, 0, r.vocab); })) ==
          error(0, RowErrorKind::masked_empty));

    const Rows two = spoilt([&](Rows& r) {
      r.p[3 * r.vocab + 5] = kNaN;
      fill(r.q, 1, r.vocab);
    });
    const Statistics got = walk_down(two, choice);
    CHECK(got.row_error == error(1, RowErrorKind::masked_empty));
    CHECK(got.invalid == std::vector<std::int32_t>{0, 1, 0, 1});
    Errors errors;
    for (const std::size_t row : {0UL, 2UL}) {
      errors.add_statistics(got, row, truth_of(two, row).statistics, true);
    }
    CHECK(errors.log_prob < 1e-6);
    CHECK(errors.kl < 1e-6);
    for (std::size_t line = 0; line < kStatisticCount; ++line) CHECK(got.at(line, 1) == 0);

    StatisticsWanted skips;
    skips.skip_invalid = true;
    const Statistics skipped = walk_down(two, choice, skips);
    CHECK(skipped.row_error == kNoRowError);
    CHECK(skipped.invalid == got.invalid);
    CHECK(skipped.lines == got.lines);
  }
}

TEST_CASE("rows that do not count are not looked at, and give zeros") {
  for (const Choice choice : {Choice{Walk::resident, 2}, Choice{Walk::streaming, 3}}) {
    Rows rows(DType::bfloat16, 5, 3000, true, 17);
    rows.mask = {1, 0, 1, 0, 0};
    for (const std::size_t row : {1UL, 3UL, 4UL}) {
      for (std::size_t v = 0; v < rows.vocab; ++v) rows.p[row * rows.vocab + v] = kNaN;
      rows.ids[row] = -7;
    }
    check_statistics(rows, choice);
    const Statistics got = walk_down(rows, choice);
    for (std::size_t line = 0; line < kStatisticCount; ++line) {
      for (const std::size_t row : {1UL, 3UL, 4UL}) CHECK(got.at(line, row) == 0);
    }
  }
}

TEST_CASE("states of shards of the vocabulary merge to the state of the row") {
  const Rows whole(DType::bfloat16, 3, 6000, true, 18);
  const Statistics want = walk_down(whole, {Walk::resident, 2});
  StatisticsWanted states;
  states.statistics = false;
  states.states = true;
  for (const Choice choice : {Choice{Walk::resident, 2}, Choice{Walk::streaming, 1}}) {
    std::vector<RowState> merged(whole.rows);
    for (const auto& [begin, end] : {std::pair{0UL, 1000UL}, {1000UL, 1003UL}, {1003UL, 6000UL}}) {
      Rows shard(DType::bfloat16, whole.rows, end - begin, true);
      for (std::size_t row = 0; row < whole.rows; ++row) {
        for (std::size_t v = begin; v < end; ++v) {
          shard.p[row * shard.vocab + v - begin] = whole.row_p(row)[v];
          shard.q[row * shard.vocab + v - begin] = whole.row_q(row)[v];
        }
      }
      shard.ids = whole.ids;
      shard.vocab_offset = static_cast<std::int64_t>(begin);
      const Statistics got = walk_down(shard, choice, states);
      CHECK(got.row_error == kNoRowError);
      for (std::size_t row = 0; row < whole.rows; ++row) {
        const RowState state = load_state(got.states.data(), whole.rows, row);
        const auto id = static_cast<std::size_t>(whole.ids[row]);
        CHECK((state.chosen_p > -kInf) == (id >= begin && id < end));
        merge(merged[row], state);
      }
    }
    for (std::size_t row = 0; row < whole.rows; ++row) {
      const TokenStatistics got = finish(merged[row], true, whole.inverse_temperature());
      CHECK(got.log_prob == doctest::Approx(want.at(0, row)).epsilon(1e-6));
      CHECK(got.masked_entropy == doctest::Approx(want.at(3, row)).epsilon(1e-6));
      CHECK(got.kl == doctest::Approx(want.at(4, row)).epsilon(1e-6));
      CHECK(got.masked_log_sum_exp == doctest::Approx(want.at(7, row)).epsilon(1e-6));
    }
  }
}

TEST_CASE("no rows are no launch") {
  const std::size_t before = shim::kernels_run();
  TokenStatsArgs args;
  CHECK(launch_token_stats(machine_of(0), args, {}, nullptr) == cudaSuccess);
  cudaDeviceSynchronize();
  CHECK(shim::kernels_run() == before);
}
