// Launch plans, as tables: which rows stay on chip on which machine, in how many blocks, and how others are streamed.
#include <cstdint>
#include <initializer_list>

#include <doctest/doctest.h>

#include "cuda/device/layout.hpp"
#include "cuda/plan.hpp"

using namespace papo::cuda;

namespace {

Machine machine(int capability, int multiprocessors, std::size_t per_block_kb,
                std::size_t per_multiprocessor_kb, std::size_t l2_mb) {
  Machine result;
  result.compute_major = capability / 10;
  result.compute_minor = capability % 10;
  result.multiprocessors = multiprocessors;
  result.shared_per_block = per_block_kb << 10;
  result.shared_per_multiprocessor = per_multiprocessor_kb << 10;
  result.shared_reserved = capability >= 80 ? 1024 : 0;
  result.l2_bytes = l2_mb << 20;
  result.clusters = capability >= 90;
  result.cooperative = true;
  return result;
}

const Machine kH200 = machine(90, 132, 227, 228, 60);
const Machine kH100 = machine(90, 132, 227, 228, 50);
const Machine kB200 = machine(100, 148, 227, 228, 126);
const Machine kRtx5090 = machine(120, 170, 99, 100, 96);
const Machine kA100 = machine(80, 108, 163, 164, 40);
const Machine kL4 = machine(89, 58, 99, 100, 48);
const Machine kRtx4090 = machine(89, 128, 99, 100, 72);
const Machine kT4 = machine(75, 40, 64, 64, 4);

RowShape row(std::int64_t vocab, std::size_t element_bytes, bool masked = true) {
  RowShape shape;
  shape.rows = 8192;
  shape.vocab = vocab;
  shape.element_bytes = element_bytes;
  shape.masked = masked;
  return shape;
}

struct Resident {
  const Machine& machine;
  std::int64_t vocab;
  std::size_t element_bytes;
  int parts;   ///< 0: streamed
  int blocks;  ///< a multiprocessor
};

struct Streamed {
  const Machine& machine;
  std::int64_t vocab;
  std::size_t element_bytes;
  int parts;
  int teams;
};

}  // namespace

TEST_CASE(
    "rows stay on chip in the fewest blocks of which three, or else two, share a multiprocessor") {
  const Resident cases[] = {
      {kH200, 32000, 2, 2, 3},     {kH200, 65536, 2, 4, 3},    {kH200, 128256, 2, 8, 3},
      {kH200, 151936, 2, 8, 3},    {kH200, 152064, 2, 8, 3},   {kH200, 262144, 2, 16, 3},
      {kH200, 32000, 4, 4, 3},     {kH200, 65536, 4, 8, 3},    {kH200, 128256, 4, 16, 3},
      {kH200, 151936, 4, 16, 2},   {kH200, 152064, 4, 16, 2},  {kH200, 262144, 4, 0, 0},
      {kH200, 50257, 2, 4, 3},     {kH100, 151936, 2, 8, 3},   {kB200, 151936, 2, 8, 3},
      {kH200, 1, 4, 1, 3},         {kRtx5090, 32000, 2, 4, 3}, {kRtx5090, 65536, 2, 8, 2},
      {kRtx5090, 151936, 4, 0, 0}, {kA100, 1000, 2, 0, 0},     {kT4, 1000, 2, 0, 0},
  };
  for (const Resident& c : cases) {
    ResidentPlan plans[kMostResidentPlans];
    const int count = resident_plans(c.machine, row(c.vocab, c.element_bytes), plans);
    CAPTURE(c.machine.capability());
    CAPTURE(c.vocab);
    CAPTURE(c.element_bytes);
    CHECK((count == 0) == (c.parts == 0));
    if (count == 0 || c.parts == 0) continue;
    CHECK(plans[0].parts == c.parts);
    CHECK(plans[0].blocks == c.blocks);
    for (int i = 0; i < count; ++i) {
      const ResidentPlan& plan = plans[i];
      // Every vector has its place, and so many blocks really fit.
      CHECK(std::int64_t{plan.slice_bytes} * plan.parts >=
            c.vocab * static_cast<std::int64_t>(c.element_bytes) / 16 * 16);
      CHECK(plan.shared_bytes == 2 * static_cast<std::size_t>(plan.slice_bytes) +
                                     static_cast<std::size_t>(BlockLayout::of(plan.parts).bytes));
      CHECK(plan.shared_bytes <= c.machine.shared_per_block);
      CHECK((plan.shared_bytes + c.machine.shared_reserved) *
                static_cast<std::size_t>(plan.blocks) <=
            c.machine.shared_per_multiprocessor);
      CHECK(plan.portable() == (plan.parts <= 8));
    }
  }
}

TEST_CASE("rows that do not begin alike are streamed, on every machine") {
  RowShape shape = row(1000, 2);
  shape.alike = false;
  ResidentPlan plans[kMostResidentPlans];
  CHECK(resident_plans(kH200, shape, plans) == 0);
  CHECK(resident_plan(kH200, shape, 1).blocks == 0);
}

TEST_CASE("a row without a masked policy takes half the room") {
  ResidentPlan plans[kMostResidentPlans];
  REQUIRE(resident_plans(kH200, row(152064, 2, false), plans) > 0);
  CHECK(plans[0].parts == 4);
}

TEST_CASE("streamed rows in flight stay in half of the L2 where they can") {
  const Streamed cases[] = {
      {kA100, 151936, 2, 10, 32},   {kA100, 151936, 4, 16, 17}, {kL4, 151936, 2, 5, 34},
      {kRtx4090, 151936, 2, 7, 54}, {kT4, 151936, 2, 16, 5},    {kA100, 32000, 2, 2, 162},
      {kRtx5090, 151936, 2, 7, 72}, {kH200, 262144, 4, 16, 17}, {kA100, 1000, 2, 1, 324},
  };
  for (const Streamed& c : cases) {
    const RowShape shape = row(c.vocab, c.element_bytes);
    const StreamingPlan plan = streaming_plan(c.machine, shape, kBlocksPerMultiprocessor);
    CAPTURE(c.machine.capability());
    CAPTURE(c.machine.multiprocessors);
    CAPTURE(c.vocab);
    CAPTURE(c.element_bytes);
    CHECK(plan.parts == c.parts);
    CHECK(plan.teams == c.teams);
    CHECK(plan.parts * plan.teams <= c.machine.multiprocessors * kBlocksPerMultiprocessor);
    CHECK(TeamScratch::bytes(plan.teams, plan.parts) <= team_scratch_bytes(c.machine));
  }
}

TEST_CASE("the parts of a row do not depend on how many rows there are, or on what follows") {
  for (const Machine* m : {&kH200, &kA100, &kL4, &kT4}) {
    for (const std::int64_t vocab : {1000, 32000, 151936}) {
      const int parts = streaming_plan(*m, row(vocab, 2), 3).parts;
      for (const std::int64_t rows : {1, 5, 100000}) {
        for (const bool again : {false, true}) {
          RowShape shape = row(vocab, 2);
          shape.rows = rows;
          shape.again = again;
          const StreamingPlan plan = streaming_plan(*m, shape, 3);
          CHECK(plan.parts == parts);
          CHECK(plan.teams >= 1);
          CHECK(plan.teams <= rows);
        }
      }
    }
  }
}

TEST_CASE("without a cooperative grid every block has a row of its own") {
  Machine alone = kA100;
  alone.cooperative = false;
  CHECK(streaming_plan(alone, row(151936, 2), 3).parts == 1);
  CHECK(team_scratch_bytes(alone) == 0);
}

TEST_CASE("what the teams exchange through is far below a megabyte") {
  for (const Machine* m : {&kH200, &kB200, &kRtx5090}) CHECK(team_scratch_bytes(*m) < 1 << 16);
}
