// papo_loss on the simulated device against the CPU engine: every dtype, place, form of objective and way to walk.
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
const Choice kPlanned;

constexpr std::pair<DType, DType> kPairs[] = {{DType::float32, DType::float32},
                                              {DType::bfloat16, DType::bfloat16},
                                              {DType::bfloat16, DType::float32},
                                              {DType::float16, DType::float16},
                                              {DType::float16, DType::float32}};

/// A row of few columns may have terms that cancel: relative to a tenth of the cotangents' magnitudes at least.
double least_gradient(const Loss& want, const Rows& rows, const Objective& objective,
                      std::size_t row) {
  constexpr std::size_t kFirstMagnitude = 7;
  double sum = 0;
  for (std::size_t line = kFirstMagnitude; line < kTermCount; ++line) {
    sum += want.terms[line * rows.rows + row];
  }
  return 0.1 * sum * objective.grad_scale / rows.temperature;
}

/// What both engines say: float64 per row within 2e-6 of the larger of 1 and itself, gradients within 5e-6 of the
/// row's largest. Both errors are those of float32 lanes on either side.
void check_same(const Rows& rows, const Objective& objective, const GradientsWanted& wanted,
                const Choice& choice) {
  const Loss got = loss_of(rows, objective, wanted, choice);
  const Loss want = loss_on_cpu(rows, objective, wanted);
  CAPTURE(rows.describe());
  CAPTURE(std::string(name_of(wanted.dtype)));
  CAPTURE(describe(choice));
  Errors errors;
  for (const auto& [ours, theirs] :
       {std::pair{&got.statistics, &want.statistics}, {&got.terms, &want.terms}}) {
    for (std::size_t i = 0; i < theirs->size(); ++i) {
      const double x = (*theirs)[i];
      errors.add(errors.kl, (*ours)[i], x, std::fmax(1, std::fabs(x)));
    }
  }
  for (const auto& [ours, theirs] :
       {std::pair{&got.grad_p, &want.grad_p}, {&got.grad_q, &want.grad_q}}) {
    REQUIRE(ours->size() == theirs->size());
    for (std::size_t row = 0; row < rows.rows && !ours->empty(); ++row) {
      const auto* begin = theirs->data() + row * rows.vocab;
      // Both sides are rounded when they are stored.
      errors.add_gradients(*ours, row, std::vector<double>(begin, begin + rows.vocab), 1,
                           2 * rounding_of(wanted.dtype),
                           std::fmax(1e-30, least_gradient(want, rows, objective, row)));
    }
  }
  CHECK(errors.kl < 2e-6);
  CHECK(errors.grad < 5e-6);
  CHECK(got.row_error == kNoRowError);
  CHECK(got.surroundings_untouched);
}

GradientsWanted gradients_in(DType dtype) {
  GradientsWanted wanted;
  wanted.dtype = dtype;
  return wanted;
}

}  // namespace

TEST_CASE("every length, in every dtype, walked every way, gives what the CPU gives") {
  for (const std::size_t vocab : {1, 2, 7, 8, 9, 31, 1000, 1024, 4099}) {
    for (const auto& [dtype, gradient_dtype] : kPairs) {
      for (const bool masked : {false, true}) {
        Rows rows(dtype, 2, vocab, masked, static_cast<unsigned>(vocab));
        const Objective objective(rows, 1);
        for (const Choice choice : {Choice{Walk::resident, 1}, Choice{Walk::resident, 4},
                                    Choice{Walk::streaming, 1}, Choice{Walk::streaming, 3}}) {
          check_same(rows, objective, gradients_in(gradient_dtype), choice);
        }
      }
    }
  }
}

TEST_CASE("vocabularies of models, once each, in place as planned") {
  for (const std::size_t vocab : {50257, 151936}) {
    const Rows rows(DType::bfloat16, 1, vocab, true);
    GradientsWanted wanted = gradients_in(DType::bfloat16);
    wanted.in_place = true;
    check_same(rows, Objective(rows, 2), wanted, kPlanned);
  }
}

TEST_CASE("every cluster and every team, in place or not, under every schedule: the same bits") {
  Rows rows(DType::bfloat16, 4, 4500, true, 3);
  rows.mask = {1, 1, 0, 1};
  // The second row is refined.
  std::copy_n(rows.p.begin() + 4500, 4500, rows.q.begin() + 4500);
  rows.q[4500] += 0.25F;
  rows.ids[3] = 4499;
  Objective objective(rows, 4);
  objective.params.perception_kl_estimator = KlEstimator::exact;
  objective.params.entropy_estimator = EntropyEstimator::exact;
  GradientsWanted wanted = gradients_in(DType::bfloat16);
  for (const Choice& choice : every_choice()) {
    wanted.in_place = false;
    shim::set_seed(0);
    const Loss first = loss_of(rows, objective, wanted, choice);
    check_same(rows, objective, wanted, choice);
    wanted.in_place = true;
    CAPTURE(describe(choice));
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      shim::set_seed(seed);
      const Loss again = loss_of(rows, objective, wanted, choice);
      CHECK(again.statistics == first.statistics);
      CHECK(again.terms == first.terms);
      CHECK(again.grad_p == first.grad_p);
      CHECK(again.grad_q == first.grad_q);
    }
  }
  shim::set_seed(0);
}

TEST_CASE("logits and gradients may begin anywhere, alike or not") {
  for (const auto& [dtype, gradient_dtype] : kPairs) {
    for (std::size_t offset = 0; offset < 8; ++offset) {
      Rows rows(dtype, 3, 1500, true, 5);
      rows.place_p = rows.place_q = {offset, 3};
      GradientsWanted wanted = gradients_in(gradient_dtype);
      wanted.place_p = wanted.place_q = {offset, 3};
      const Objective objective(rows, 6);
      check_same(rows, objective, wanted, {Walk::resident, 2});
      wanted.place_q = {(offset * 3 + 1) % 8, 1};
      check_same(rows, objective, wanted, {Walk::resident, 2});
      rows.place_q = {(offset * 5 + 2) % 8, 0};
      check_same(rows, objective, wanted, kPlanned);
    }
  }
}

TEST_CASE("every form of the objective, and each gradient alone") {
  Rows rows(DType::bfloat16, 6, 1200, true, 7);
  rows.mask = {1, 0, 1, 1, 1, 1};
  for (const KlEstimator estimator :
       {KlEstimator::k1, KlEstimator::k2, KlEstimator::k3, KlEstimator::unbiased, KlEstimator::jsd,
        KlEstimator::exact, KlEstimator::exact_reverse}) {
    for (const EntropyEstimator entropy : {EntropyEstimator::sampled, EntropyEstimator::exact}) {
      for (const bool differentiable : {false, true}) {
        Objective objective(rows, 8);
        objective.params.perception_kl_estimator = estimator;
        objective.params.entropy_estimator = entropy;
        objective.params.masked_differentiable = differentiable;
        if (!is_exact(estimator)) objective.params.ref_kl_estimator = estimator;
        for (int which = 0; which < 4; ++which) {
          GradientsWanted wanted = gradients_in(DType::bfloat16);
          wanted.p = which % 2 == 0;
          wanted.q = which < 2;
          check_same(rows, objective, wanted, {Walk::resident, 2});
          check_same(rows, objective, wanted, {Walk::streaming, 2});
        }
      }
    }
  }
}

TEST_CASE("bounds of the perception term and of the entropies, and weights of the term's own") {
  const Rows rows(DType::bfloat16, 12, 1200, true, 18);
  const double inf = std::numeric_limits<double>::infinity();
  for (const KlEstimator estimator : {KlEstimator::k1, KlEstimator::jsd, KlEstimator::exact}) {
    for (const EntropyEstimator entropy : {EntropyEstimator::sampled, EntropyEstimator::exact}) {
      for (int which = 0; which < 8; ++which) {
        Objective objective(rows, 19);
        objective.params.perception_kl_estimator = estimator;
        objective.params.entropy_estimator = entropy;
        if (which % 2 != 0) {
          objective.params.perception_kl_min = 0.15;
          objective.params.perception_kl_max = 0.6;
        }
        if (which / 2 % 2 != 0) {
          objective.params.entropy_hinge = {which == 2 ? -inf : 6.2, which == 6 ? inf : 6.5};
        }
        for (std::size_t row = 0; which >= 4 && row < rows.rows; ++row) {
          objective.perception_weights.push_back(0.3 * static_cast<double>(row));
        }
        check_same(rows, objective, gradients_in(DType::float32), {Walk::resident, 2});
        check_same(rows, objective, gradients_in(DType::float32), {Walk::streaming, 2});
      }
    }
  }
}

TEST_CASE(
    "of gradients that are zero already, rows that do not count are not written, on any walk") {
  for (const auto& [dtype, gradient_dtype] : kPairs) {
    Rows rows(dtype, 3, 1003, true, 16);
    rows.place_p = rows.place_q = {1, 2};
    rows.mask = {0, 1, 0};
    const Objective objective(rows, 17);
    GradientsWanted wanted = gradients_in(gradient_dtype);
    for (const Choice& choice : every_choice()) {
      CAPTURE(describe(choice));
      wanted.zeroed = false;
      const Loss zeros = loss_of(rows, objective, wanted, choice);
      wanted.zeroed = true;
      const Loss kept = loss_of(rows, objective, wanted, choice);
      CHECK(kept.statistics == zeros.statistics);
      CHECK(kept.terms == zeros.terms);
      for (const auto& [ours, theirs] :
           {std::pair{&kept.grad_p, &zeros.grad_p}, {&kept.grad_q, &zeros.grad_q}}) {
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < ours->size(); ++i) {
          const bool counted = rows.mask[i / rows.vocab] != 0;
          // A fresh matrix is full of NaN.
          wrong += counted ? (*ours)[i] != (*theirs)[i] : !std::isnan((*ours)[i]);
          wrong += !counted && (*theirs)[i] != 0;
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("what is optional may be absent") {
  for (const bool masked : {false, true}) {
    const Rows rows(DType::float32, 3, 800, masked, 9);
    Objective objective(rows, 10);
    const auto check = [&] {
      check_same(rows, objective, {}, {Walk::resident, 1});
      check_same(rows, objective, {}, {Walk::streaming, 1});
    };
    check();
    objective.old_log_probs.clear();
    check();
    objective.ref_log_probs.clear();
    check();
    objective.masked_log_probs.clear();
    if (!masked) objective.params.perception_kl_coef = objective.params.masked_entropy_coef = 0;
    check();
    objective.advantages.clear();
    check();
  }
}

TEST_CASE("columns that are -Infinity, and tokens that cannot be, are as on the CPU") {
  Rows rows(DType::bfloat16, 4, 3003, true, 11);
  for (std::size_t v = 0; v < rows.vocab; ++v) {
    if (v % 3 == 1 || v < 1100) rows.p[v] = rows.q[v] = -kInf;
  }
  rows.q[rows.vocab + 50] = -kInf;
  rows.p[2 * rows.vocab + 3002] = -kInf;
  rows.q[3 * rows.vocab + 8] = -kInf;
  rows.ids = {1101, 9, 3002, 8};
  Objective objective(rows, 12);
  objective.old_log_probs[2] = objective.ref_log_probs[2] = -3;
  for (const Choice choice : {Choice{Walk::resident, 2}, Choice{Walk::streaming, 2}}) {
    check_same(rows, objective, gradients_in(DType::float32), choice);
  }
}

TEST_CASE("a row that fails is named, and it alone gives zeros") {
  for (const Choice choice :
       {Choice{Walk::resident, 1}, Choice{Walk::resident, 4}, Choice{Walk::streaming, 2}}) {
    Rows rows(DType::bfloat16, 5, 2100, true, 13);
    const Rows good = rows;
    Objective objective(rows, 14);
    objective.params.perception_kl_estimator = KlEstimator::exact;
    GradientsWanted wanted = gradients_in(DType::bfloat16);
    const Loss want = loss_of(good, objective, wanted, choice);

    rows.p[3 * rows.vocab + 2099] = kNaN;
    rows.q[4 * rows.vocab] = kInf;
    // An infinite KL that no limit holds.
    rows.q[1 * rows.vocab + 1000] = -kInf;
    const Loss got = loss_of(rows, objective, wanted, choice);
    CHECK(got.row_error ==
          1 * kRowErrorKinds + static_cast<unsigned long long>(RowErrorKind::infinite_kl));
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const bool fails = row == 1 || row >= 3;
      for (std::size_t line = 0; line < kTermCount; ++line) {
        const std::size_t i = line * rows.rows + row;
        CHECK(got.terms[i] == (fails ? 0 : want.terms[i]));
      }
      std::size_t different = 0;
      for (std::size_t i = row * rows.vocab; i < (row + 1) * rows.vocab; ++i) {
        different += got.grad_p[i] != (fails ? 0 : want.grad_p[i]);
        different += got.grad_q[i] != (fails ? 0 : want.grad_q[i]);
      }
      CHECK(different == 0);
    }
    // With a limit, or where the KL has no weight, it does not matter.
    rows = good;
    rows.q[1 * rows.vocab + 1000] = -kInf;
    objective.params.exact_kl_limit = 2;
    check_same(rows, objective, wanted, choice);
  }
}

TEST_CASE("statistics are those of token_stats, to the bit") {
  Rows rows(DType::bfloat16, 3, 6000, true, 15);
  rows.q[6000] = rows.p[6000];
  for (const Choice choice : {kPlanned, Choice{Walk::resident, 2}, Choice{Walk::streaming, 0}}) {
    const Statistics statistics = walk_down(rows, choice);
    const Loss loss = loss_of(rows, Objective(rows, 16), {}, choice);
    CHECK(loss.statistics == statistics.lines);
  }
}

TEST_CASE("a loss of no rows is no launch") {
  const std::size_t before = shim::kernels_run();
  PapoLossArgs args;
  CHECK(launch_papo_loss(machine_of(0), args, {}, nullptr) == cudaSuccess);
  cudaDeviceSynchronize();
  CHECK(shim::kernels_run() == before);
}
