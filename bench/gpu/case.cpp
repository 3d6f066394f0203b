#include "case.hpp"

#include <algorithm>

namespace papo::gpu {
namespace {

constexpr DType kDTypes[] = {DType::bfloat16, DType::float16, DType::float32};

/// Vocabularies of real models, and 50 257 whose rows are aligned to two bytes only.
const std::vector<std::size_t> kVocabs = {32'000,  50'257,  65'536, 128'256,
                                          151'936, 152'064, 262'144};
const std::vector<std::size_t> kTinyVocabs = {1, 2, 7, 16, 129, 1000, 2056};

/// The same row counts for all would leave 16 384 rows of the large ones out of reach of one tensor's bytes.
std::size_t rows_within(std::size_t rows, std::size_t vocab, DType dtype, std::size_t most_bytes) {
  return std::max<std::size_t>(1, std::min(rows, most_bytes / (vocab * size_of(dtype))));
}

void add_shapes(std::vector<Case>& cases, Extent extent, std::size_t most_bytes) {
  const bool tiny = extent == Extent::tiny;
  std::vector<std::size_t> counts = {1, 5, 133, 16'384};
  if (extent == Extent::quick) counts = {1, 133, 16'384};
  if (extent == Extent::small) counts = {3};
  if (tiny) counts = {1, 3};
  for (const std::size_t vocab : tiny ? kTinyVocabs : kVocabs) {
    for (const DType dtype : kDTypes) {
      std::size_t before = 0;
      for (const std::size_t count : counts) {
        Case each;
        each.rows = tiny ? count : rows_within(count, vocab, dtype, most_bytes);
        if (each.rows == before) continue;
        before = each.rows;
        each.vocab = vocab;
        each.dtype = dtype;
        each.mask_share = count == 133 ? 0.3 : -1;
        each.temperature = count == 5 ? 0.7 : 1;
        cases.push_back(each);
      }
    }
  }
}

/// Everything that is not a size, at sizes that do not cost much: `vocab` aligned, `odd` not.
void add_variants(std::vector<Case>& cases, std::size_t rows, std::size_t vocab, std::size_t odd,
                  DType dtype) {
  Case base;
  base.rows = rows;
  base.vocab = vocab;
  base.dtype = dtype;
  base.mask_share = 0.25;
  const auto add = [&](auto&& change) {
    Case each = base;
    change(each);
    cases.push_back(each);
  };
  for (const Logits logits : kAllLogits) add([&](Case& c) { c.logits = logits; });
  for (const Logits logits : {Logits::trained, Logits::holes, Logits::near}) {
    add([&](Case& c) { c.logits = logits, c.vocab = odd; });
  }
  add([](Case& c) { c.masked = Masked::none; });
  add([](Case& c) { c.masked = Masked::log_probs; });
  add([](Case& c) { c.objective = Objective::sampled; });
  add([](Case& c) { c.objective = Objective::sampled, c.grad_q = false; });
  add([](Case& c) { c.grad_p = false; });
  add([](Case& c) { c.grad_q = false; });
  add([](Case& c) { c.grad_p = c.grad_q = false; });
  add([](Case& c) { c.temperature = 0.7; });
  add([](Case& c) { c.temperature = 2.5, c.logits = Logits::shifted; });
  add([](Case& c) { c.mask_share = 1; });
  add([](Case& c) { c.mask_share = -1; });
  if (dtype != DType::float32) add([](Case& c) { c.float32_gradients = true; });
  // Rows that begin anywhere: both alike, p and q unlike, gradients unlike their logits, no two rows alike.
  add([](Case& c) { c.placement = {8, 8, 8, 8, 8, 8}; });
  add([](Case& c) { c.placement = {0, 0, 3, 3, 0, 3}; });
  add([](Case& c) { c.placement = {0, 0, 1, 2, 0, 0}; });
  add([](Case& c) { c.placement = {0, 0, 0, 0, 0, 5}; });
  add([](Case& c) { c.placement = {1, 1, 0, 0, 1, 0}; });
  add([](Case& c) { c.placement = {7, 3, 1, 0, 5, 2}; });
  add([&](Case& c) { c.vocab = odd, c.placement = {3, 3, 5, 5, 3, 5}; });
}

}  // namespace

const char* name_of(Logits logits) {
  switch (logits) {
    case Logits::trained:
      return "trained";
    case Logits::normal:
      return "normal";
    case Logits::near:
      return "near";
    case Logits::equal:
      return "equal";
    case Logits::flat:
      return "flat";
    case Logits::peaked:
      return "peaked";
    case Logits::shifted:
      return "shifted";
    case Logits::climbing:
      return "climbing";
    case Logits::holes:
      return "holes";
    case Logits::wide:
      return "wide";
    case Logits::edges:
      return "edges";
  }
  return "?";
}

bool ordinary(Logits logits) {
  return logits == Logits::trained || logits == Logits::normal || logits == Logits::near ||
         logits == Logits::equal || logits == Logits::holes;
}

std::string Case::name() const {
  std::string text = std::to_string(rows) + " x " + std::to_string(vocab) + " " +
                     papo::name_of(dtype) + " " + gpu::name_of(logits);
  if (masked == Masked::none) text += ", one policy";
  if (masked == Masked::log_probs) text += ", masked log-probs";
  if (objective == Objective::sampled) text += ", sampled estimators";
  if (temperature != 1) text += ", temperature " + std::to_string(temperature).substr(0, 3);
  if (mask_share >= 0) text += ", mask " + std::to_string(mask_share).substr(0, 4);
  if (float32_gradients) text += ", float32 gradients";
  if (!grad_p) text += ", no gradient of p";
  if (!grad_q) text += ", no gradient of q";
  const Placement& at = placement;
  const std::size_t gaps[] = {at.padding,     at.masked_padding, at.skew,
                              at.masked_skew, at.grad_padding,   at.grad_skew};
  if (std::any_of(std::begin(gaps), std::end(gaps), [](std::size_t gap) { return gap != 0; })) {
    text += ", gaps";
    for (const std::size_t gap : gaps) text += " " + std::to_string(gap);
  }
  return text;
}

std::vector<Case> sweep_cases(Extent extent, std::size_t most_bytes, unsigned seed) {
  std::vector<Case> cases;
  add_shapes(cases, extent, most_bytes);
  if (extent == Extent::tiny) {
    add_variants(cases, 3, 1032, 515, DType::bfloat16);
    add_variants(cases, 2, 260, 131, DType::float32);
  } else if (extent == Extent::small) {
    add_variants(cases, 4, 8'192, 5'003, DType::bfloat16);
  } else {
    add_variants(cases, 37, 151'936, 50'257, DType::bfloat16);
    add_variants(cases, 19, 32'000, 50'257, DType::float32);
    add_variants(cases, 23, 8'192, 5'003, DType::float16);
  }
  if (extent == Extent::full) {
    for (std::size_t vocab = 1; vocab <= 40; ++vocab) {
      Case each;
      each.rows = 7;
      each.vocab = vocab;
      each.dtype = kDTypes[vocab % 3];
      cases.push_back(each);
    }
    // More than 2^31 elements: every offset must be 64 bits wide.
    Case giant;
    giant.rows = 16'384;
    giant.vocab = 152'064;
    cases.push_back(giant);
  }
  for (Case& each : cases) each.seed = seed;
  return cases;
}

}  // namespace papo::gpu
