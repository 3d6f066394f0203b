#include <algorithm>
#include <memory>

#include "compare.hpp"
#include "cpu/parallel.hpp"
#include "direct.hpp"
#include "math/token_lines.hpp"
#include "stages.hpp"

namespace papo::gpu {
namespace {

/// What the CPU engine and the definitions say about a batch; the device is held against it.
struct Expected {
  LossOutputs loss;
  std::vector<double> statistics;
  HostMatrix loss_p, loss_q, grad_p, grad_q;  ///< of papo_loss, and of token_stats_grad
  std::vector<RowTruth> truths;
  std::vector<RowTruth::Gradient> true_loss, true_grad;
  std::vector<double> least_loss, least_grad;  ///< [rows], see `least_scale`

  bool has(bool of_loss, bool of_p) const { return matrix(of_loss, of_p).present(); }

  WantedGradient gradient(bool of_loss, bool of_p) const {
    WantedGradient wanted;
    wanted.cpu = matrix(of_loss, of_p).view();
    wanted.least_scale = of_loss ? least_loss : least_grad;
    for (std::size_t i = 0; i < truths.size(); ++i) {
      const RowTruth::Gradient& truth = of_loss ? true_loss[i] : true_grad[i];
      wanted.truths.push_back({truths[i].row(), of_p ? &truth.p : &truth.q,
                               std::max(truth.largest_p, truth.largest_q)});
    }
    return wanted;
  }

 private:
  const HostMatrix& matrix(bool of_loss, bool of_p) const {
    return of_loss ? (of_p ? loss_p : loss_q) : (of_p ? grad_p : grad_q);
  }
};

HostMatrix gradient_like(const Batch& batch, bool of_p) {
  const bool wanted = of_p ? batch.spec.grad_p : batch.spec.grad_q && batch.masked_logits.present();
  return wanted ? HostMatrix(batch.grad_layout(of_p)) : HostMatrix();
}

/// One case on one device.
class Trial {
 public:
  Trial(Context& context, const Case& spec) : context_(context), batch_(spec) {
    prepare(batch_, context.registry);
  }

  Errors run() {
    expect();
    upload();
    planned();
    for (const Walk walk : kAllWalks) {
      if (!huge() || walk == Walk::streaming) directly(walk);
    }
    accumulated();
    if (!huge()) in_place();
    return errors_;
  }

 private:
  /// Tensors of gigabytes are there for their offsets: one run of each kernel is enough.
  bool huge() const { return batch_.spec.tensor_bytes() > std::size_t{1} << 30; }
  bool has_masked() const { return batch_.masked_logits.present(); }
  std::string where(const std::string& what) const { return batch_.spec.name() + ": " + what; }

  void expect() {
    const TensorView p = batch_.logits.view(), q = batch_.masked_logits.view();
    expected_.statistics = batch_.statistics;
    expected_.loss_p = gradient_like(batch_, true);
    expected_.loss_q = gradient_like(batch_, false);
    if (!huge()) expected_.grad_p = gradient_like(batch_, true);
    if (!huge()) expected_.grad_q = gradient_like(batch_, false);
    require(gpu::run(context_.registry, "papo_loss",
                     papo_loss_call(batch_, p, q, expected_.loss_p.view(), expected_.loss_q.view(),
                                    expected_.loss)));
    if (!huge()) {
      require(gpu::run(context_.registry, "token_stats_grad",
                       token_stats_grad_call(batch_, p, q, expected_.grad_p.view(),
                                             expected_.grad_q.view(), false)));
    }
    for (std::size_t row = 0; row < batch_.rows(); ++row) {
      const TokenStatistics statistics =
          load_statistics(expected_.loss.statistics.data(), batch_.rows(), row);
      const TokenObjective objective =
          token_objective(batch_.objective(), statistics, batch_.token_inputs(row));
      const double temperature = batch_.spec.temperature;
      expected_.least_loss.push_back(least_scale(objective.cotangents, temperature));
      expected_.least_grad.push_back(least_scale(batch_.cotangents_of(row), temperature));
    }
    const std::vector<std::size_t> rows = sampled_rows(batch_, context_.options.truth_rows());
    std::vector<std::unique_ptr<RowTruth>> truths(rows.size());
    expected_.true_loss.resize(rows.size());
    expected_.true_grad.resize(rows.size());
    require(cpu::for_rows(rows.size(), 1, {}, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        truths[i] = std::make_unique<RowTruth>(batch_, rows[i]);
        const TokenObjective objective = token_objective(
            batch_.objective(), truths[i]->statistics(), batch_.token_inputs(rows[i]));
        expected_.true_loss[i] = truths[i]->gradient(objective.cotangents);
        expected_.true_grad[i] = truths[i]->gradient(batch_.cotangents_of(rows[i]));
      }
      return Status();
    }));
    for (std::unique_ptr<RowTruth>& truth : truths) expected_.truths.push_back(std::move(*truth));
  }

  void upload() {
    p_ = DeviceMatrix(batch_.logits.layout(), context_.device());
    p_.upload(batch_.logits);
    if (has_masked()) {
      q_ = DeviceMatrix(batch_.masked_logits.layout(), context_.device());
      q_.upload(batch_.masked_logits);
    }
    if (expected_.loss_p.present())
      grad_p_ = DeviceMatrix(batch_.grad_layout(true), context_.device());
    if (expected_.loss_q.present())
      grad_q_ = DeviceMatrix(batch_.grad_layout(false), context_.device());
  }

  void clear() {
    if (grad_p_.present()) grad_p_.fill(kGuard);
    if (grad_q_.present()) grad_q_.fill(kGuard);
  }

  void see_loss(const LossOutputs& got, const std::string& what) {
    compare_statistics(batch_, got.statistics, expected_.loss.statistics, expected_.truths, false,
                       where(what), errors_);
    compare_terms(batch_, got.terms, expected_.loss.terms, where(what), errors_);
  }

  void see_gradients(bool of_loss, const DeviceMatrix& p, const DeviceMatrix& q,
                     const std::string& what) {
    if (p.present() && expected_.has(of_loss, true)) {
      compare_gradient(batch_, p, expected_.gradient(of_loss, true),
                       where(what + ", gradient of p"), errors_);
    }
    if (q.present() && expected_.has(of_loss, false)) {
      compare_gradient(batch_, q, expected_.gradient(of_loss, false),
                       where(what + ", gradient of q"), errors_);
    }
  }

  /// One wrong number, as small as a wrong kernel might leave it, in the last row of what `--plant` names.
  void falsify(LossOutputs& loss) {
    const std::string& what = context_.options.plant;
    if (what == "statistic") loss.statistics[batch_.rows() - 1] += 1e-5;
    if (!grad_p_.present() || (what != "gradient" && what != "gap")) return;
    const Layout2D& layout = grad_p_.layout();
    const std::size_t end = layout.skew + (layout.rows - 1) * layout.pitch() + layout.columns;
    if (what == "gap") return grad_p_.put(end, 0);
    float before = 0;
    grad_p_.download(end - 1, 1, &before);
    const TensorView one = {&before, 1, 1, 1, layout.dtype, {}};
    grad_p_.put(end - 1, element(one, 0, 0) + 1e-3F);
  }

  /// Through the registry, as every caller does.
  void planned() {
    std::vector<double> statistics;
    StatsOutputs outputs;
    outputs.statistics = &statistics;
    require(gpu::run(context_.registry, "token_stats",
                     token_stats_call(batch_, p_.view(), q_.view(), outputs)));
    compare_statistics(batch_, statistics, expected_.statistics, expected_.truths, true,
                       where("token_stats"), errors_);
    clear();
    LossOutputs loss;
    require(gpu::run(
        context_.registry, "papo_loss",
        papo_loss_call(batch_, p_.view(), q_.view(), grad_p_.view(), grad_q_.view(), loss)));
    falsify(loss);
    see_loss(loss, "papo_loss");
    see_gradients(true, grad_p_, grad_q_, "papo_loss");
    if (huge()) return;
    clear();
    require(gpu::run(context_.registry, "token_stats_grad",
                     token_stats_grad_call(batch_, p_.view(), q_.view(), grad_p_.view(),
                                           grad_q_.view(), false)));
    see_gradients(false, grad_p_, grad_q_, "token_stats_grad");
  }

  /// The launchers themselves, on a machine that may lack something.
  void directly(Walk walk) {
    const std::string how = std::string(" launched, ") + name_of(walk);
    const cuda::Machine machine = machine_for(walk, context_.device(), batch_.row_bytes());
    DirectRows rows(batch_, context_.device());
    ScratchMemory scratch(context_.device());
    launch(machine, rows.token_stats(p_.view(), q_.view()), scratch, nullptr);
    require(cudaDeviceSynchronize(), "token_stats");
    compare_statistics(batch_, rows.outputs().statistics, expected_.statistics, expected_.truths,
                       true, where("token_stats" + how), errors_);
    rows.reset();
    clear();
    launch(machine, rows.papo_loss(p_.view(), q_.view(), grad_p_.view(), grad_q_.view()), scratch,
           nullptr);
    require(cudaDeviceSynchronize(), "papo_loss");
    see_loss(rows.outputs(), "papo_loss" + how);
    see_gradients(true, grad_p_, grad_q_, "papo_loss" + how);
  }

  /// Gradients added to what is there, for tensors that are cheap to do again on the CPU.
  void accumulated() {
    if (batch_.spec.tensor_bytes() > (std::size_t{16} << 20)) return;
    HostMatrix p = gradient_like(batch_, true), q = gradient_like(batch_, false);
    if (!p.present() && !q.present()) return;
    for (HostMatrix* each : {&p, &q}) {
      if (!each->present()) continue;
      each->fill_gaps(kGuard);
      const TensorView view = each->view();
      for (std::size_t row = 0; row < view.rows; ++row) {
        char* data = static_cast<char*>(view.data) + row * view.row_pitch * size_of(view.dtype);
        for (std::size_t v = 0; v < view.columns; ++v) {
          store(0.5F - static_cast<float>(v % 3) * 0.25F, view.dtype, data, v);
        }
      }
    }
    if (p.present()) grad_p_.upload(p);
    if (q.present()) grad_q_.upload(q);
    const auto call = [&](const TensorView& at_p, const TensorView& at_q, const TensorView& out_p,
                          const TensorView& out_q) {
      require(gpu::run(context_.registry, "token_stats_grad",
                       token_stats_grad_call(batch_, at_p, at_q, out_p, out_q, true)));
    };
    call(batch_.logits.view(), batch_.masked_logits.view(), p.view(), q.view());
    call(p_.view(), q_.view(), grad_p_.view(), grad_q_.view());
    // Rows that do not count keep what they hold, so their zeros are not asked for here.
    Batch all = batch_;
    all.mask.clear();
    const std::string what = where("token_stats_grad, accumulating");
    if (p.present()) compare_gradient(all, grad_p_, {p.view(), {}, {}}, what + ", p", errors_);
    if (q.present()) compare_gradient(all, grad_q_, {q.view(), {}, {}}, what + ", q", errors_);
  }

  /// Over the logits; last, since those are gone then.
  void in_place() {
    if (batch_.spec.float32_gradients) return;
    const bool over_p = batch_.spec.grad_p, over_q = batch_.spec.grad_q && has_masked();
    if (!over_p && !over_q) return;
    LossOutputs loss;
    require(gpu::run(context_.registry, "papo_loss",
                     papo_loss_call(batch_, p_.view(), q_.view(), over_p ? p_.view() : TensorView(),
                                    over_q ? q_.view() : TensorView(), loss)));
    see_loss(loss, "papo_loss in place");
    // The logits' gaps hold NaN; the guards of gradients are asked for elsewhere.
    if (batch_.logits.layout().padding + batch_.logits.layout().skew > 0) return;
    if (over_q && q_.layout().padding + q_.layout().skew > 0) return;
    see_in_place(over_p, over_q);
  }

  void see_in_place(bool over_p, bool over_q) {
    // The tail holds NaN too: made what the comparison expects.
    const auto guarded = [&](DeviceMatrix& matrix) {
      const std::size_t size = size_of(matrix.layout().dtype);
      std::vector<char> tail(kTail * size);
      for (std::size_t i = 0; i < kTail; ++i) store(kGuard, matrix.layout().dtype, tail.data(), i);
      const TensorView view = matrix.view();
      char* end = static_cast<char*>(view.data) + view.rows * view.row_pitch * size;
      require(cuda::copy("papo_gpu", {tail.data(), {}, tail.size()},
                         {end, view.device, tail.size()}, 1, tail.size(), nullptr));
    };
    if (over_p) guarded(p_);
    if (over_q) guarded(q_);
    see_gradients(true, over_p ? p_ : DeviceMatrix(), over_q ? q_ : DeviceMatrix(),
                  "papo_loss in place");
  }

  Context& context_;
  Batch batch_;
  Expected expected_;
  DeviceMatrix p_, q_, grad_p_, grad_q_;
  Errors errors_;
};

json::Object worst_of(const Worst& worst) {
  return json::Object()
      .set("error", worst.error())
      .set("ofTolerance", worst.of_tolerance())
      .set("where", worst.where());
}

}  // namespace

void correctness(Context& context) {
  const std::vector<Case> cases =
      context.options.extra.empty()
          ? sweep_cases(context.options.extent, context.options.most_bytes(), context.options.seed)
          : context.options.extra;
  context.report.say("correctness: " + std::to_string(cases.size()) +
                     " cases; all rows against the CPU engine, up to " +
                     std::to_string(context.options.truth_rows()) + " of each against float64");
  const double start = seconds();
  Errors errors, strict;
  for (const Case& each : cases) {
    const double begin = seconds();
    const Errors found = Trial(context, each).run();
    errors.see(found);
    if (ordinary(each.logits)) strict.see(found);
    context.report.check(!found.failed(), each.name(), found.worst());
    if (seconds() - begin > 10) {
      context.report.say("  " + each.name() + ": " + show(seconds() - begin) + " s");
    }
  }
  refusals(context);
  shards(context);

  const double target =
      std::max({strict.log_probs.error(), strict.entropies.error(), strict.kls.error()});
  context.report.say(
      "  worst of ordinary logits against float64: log-probs " + show(strict.log_probs.error()) +
      ", entropies " + show(strict.entropies.error()) + ", KLs " + show(strict.kls.error()) +
      ", gradients " + show(strict.gradients.error()) +
      " of the row's largest (target 1e-6 of statistics: " + (target <= 1e-6 ? "met" : "missed") +
      ")");
  context.report.say("  " + std::to_string(context.report.checks()) + " checks, " +
                     std::to_string(context.report.failures()) + " failed, " +
                     std::to_string(static_cast<int>(seconds() - start)) + " s");
  json::Object figures;
  figures.set("cases", cases.size())
      .set("truthRowsPerCase", context.options.truth_rows())
      .set("seed", static_cast<std::size_t>(context.options.seed))
      .set("checks", context.report.checks())
      .set("failures", context.report.failures())
      .set("seconds", seconds() - start)
      .set("ordinaryLogits", json::Object()
                                 .set("logProbs", worst_of(strict.log_probs))
                                 .set("entropies", worst_of(strict.entropies))
                                 .set("kls", worst_of(strict.kls))
                                 .set("gradients", worst_of(strict.gradients)))
      .set("allLogits", json::Object()
                            .set("logProbs", worst_of(errors.log_probs))
                            .set("entropies", worst_of(errors.entropies))
                            .set("kls", worst_of(errors.kls))
                            .set("gradients", worst_of(errors.gradients))
                            .set("statisticsAgainstCpu", worst_of(errors.cpu_statistics))
                            .set("termsAgainstCpu", worst_of(errors.cpu_terms))
                            .set("gradientsAgainstCpu", worst_of(errors.cpu_gradients)));
  context.report.save("correctness", figures);
}

}  // namespace papo::gpu
