#include "export.hpp"

#include <fstream>
#include <stdexcept>

#include "truth.hpp"

namespace papo::gpu {
namespace {

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}

  void write(const std::string& name, const void* data, std::size_t bytes) const {
    std::ofstream file(path_ + "/" + name, std::ios::binary);
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
    file.close();
    if (!file) throw std::runtime_error("could not write " + path_ + "/" + name);
  }
  template <typename T>
  void write(const std::string& name, const std::vector<T>& values) const {
    write(name, values.data(), values.size() * sizeof(T));
  }

 private:
  std::string path_;
};

/// With the signs of math/token_objective.hpp.
double loss_of(const ObjectiveParams& params, const TokenInputs& token, const TokenTerms& terms) {
  return token.weight * (terms.surrogate + params.ref_kl_coef * terms.ref_kl -
                         params.perception_kl_coef * terms.perception_kl) +
         token.entropy_weight * (params.entropy_coef * terms.entropy +
                                 params.masked_entropy_coef * terms.masked_entropy);
}

void append(std::vector<float>& to, const std::vector<double>& from) {
  for (const double value : from) to.push_back(static_cast<float>(value));
}

}  // namespace

void export_batch(Context& context, const std::string& folder) {
  Case spec;
  spec.rows = 8;
  spec.vocab = context.options.extent == Extent::tiny ? 1032 : 151'936;
  spec.mask_share = -1;
  spec.seed = context.options.seed;
  Batch batch(spec);
  prepare(batch, context.registry);
  const ObjectiveParams params = batch.objective();
  std::vector<float> grad_p, grad_q;
  std::vector<double> losses;
  for (std::size_t row = 0; row < spec.rows; ++row) {
    const RowTruth truth(batch, row);
    const TokenInputs token = batch.token_inputs(row);
    const TokenObjective objective = token_objective(params, truth.statistics(), token);
    const RowTruth::Gradient gradient = truth.gradient(objective.cotangents);
    append(grad_p, gradient.p);
    append(grad_q, gradient.q);
    losses.push_back(loss_of(params, token, objective.terms));
  }
  const Folder out(folder);
  const std::size_t bytes = spec.tensor_bytes();
  out.write("logits.bf16", batch.logits.view().data, bytes);
  out.write("masked_logits.bf16", batch.masked_logits.view().data, bytes);
  out.write("token_ids.i32", batch.token_ids);
  out.write("old_log_probs.f64", batch.old_log_probs);
  out.write("ref_log_probs.f64", batch.ref_log_probs);
  out.write("advantages.f64", batch.advantages);
  out.write("weights.f64", batch.weights);
  out.write("entropy_weights.f64", batch.entropy_weights);
  out.write("losses.f64", losses);
  out.write("grad_logits.f32", grad_p);
  out.write("grad_masked_logits.f32", grad_q);
  const json::Object about = json::Object()
                                 .set("rows", spec.rows)
                                 .set("vocab", spec.vocab)
                                 .set("clipLow", params.clip.low)
                                 .set("clipHigh", params.clip.high)
                                 .set("clipDual", params.clip.dual)
                                 .set("refKlCoef", params.ref_kl_coef)
                                 .set("perceptionKlCoef", params.perception_kl_coef)
                                 .set("entropyCoef", params.entropy_coef)
                                 .set("maskedEntropyCoef", params.masked_entropy_coef);
  const std::string text = about.text();
  out.write("batch.json", text.data(), text.size());
}

}  // namespace papo::gpu
