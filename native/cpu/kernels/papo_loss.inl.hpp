// papo_loss on the CPU: rows [begin, end), each walked down for its statistics and then up for its gradients.
//
// A row pair that the second cache holds from one walk to the other is finished before the next is begun. One that it
// does not hold is written in step with the walk down of the next row, block by block, so that memory is read and
// written at once; stores past the caches have that by themselves.

/// Bytes of a row pair that a core's second cache (1 MiB where this was measured) keeps beside what is written.
inline constexpr std::size_t kKeptBytes = std::size_t{768} << 10;

/// A row whose gradients are still to be written.
template <typename T, typename G>
class RowToWrite {
 public:
  RowToWrite(const GradientWalk<T, G>& walk, const ColumnRange& careful)
      : walk_(walk), careful_(careful) {}

  void write_block() {
    if (next_ == walk_.blocks().size()) return;
    const Block<T> block = walk_.blocks()[next_++];
    walk_.write_block(block, careful_.meets(block.offset, block.offset + block.count));
  }
  void write_rest() {
    while (next_ < walk_.blocks().size()) write_block();
    walk_.finish();
  }

 private:
  GradientWalk<T, G> walk_;
  ColumnRange careful_;
  std::size_t next_ = 0;
};

template <typename T, typename G, bool kMasked, bool kGradients>
inline Status papo_loss_rows(const papo_loss::Params& params, std::size_t begin, std::size_t end) {
  const float inverse_temperature = inverse_of(params.temperature, params.vocab);
  const double scale = params.grad_scale * static_cast<double>(inverse_temperature);
  const bool has_masked = kMasked || params.masked_log_probs != nullptr;
  const Store store =
      store_of(params.logits, params.masked_logits, params.grad_logits, params.grad_masked_logits);
  const std::size_t row_bytes = params.vocab * sizeof(T) * (kMasked ? 2 : 1);
  const bool in_step = store == Store::plain && row_bytes > kKeptBytes;
  std::optional<RowToWrite<T, G>> before;
  for (std::size_t row = begin; row < end; ++row) {
    G* grad_p = params.grad_logits.present() ? params.grad_logits.row<G>(row) : nullptr;
    G* grad_q =
        params.grad_masked_logits.present() ? params.grad_masked_logits.row<G>(row) : nullptr;
    if (!counts(params.mask, row)) {
      store_statistics({}, params.statistics, params.rows, row);
      store_terms({}, params.terms, params.rows, row);
      clear_row(grad_p, params.vocab, params.grads_zeroed);
      clear_row(grad_q, params.vocab, params.grads_zeroed);
      continue;
    }
    const T* p = params.logits.row<T>(row);
    const T* q = kMasked ? params.masked_logits.row<T>(row) : nullptr;
    const auto id = static_cast<std::size_t>(params.token_ids[row]);
    StatisticsWalk<T, kMasked> walk(p, q, params.vocab, id, inverse_temperature);
    const RowBlocks<T> blocks(p, q, params.vocab);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      walk.add_block(blocks[i]);
      if (kGradients && in_step && before) before->write_block();
    }
    walk.finish();
    if (kGradients && before) before->write_rest();
    before.reset();
    RowState& state = walk.state;
    if (!usable(state, kMasked)) return unusable_row("papoLoss", state, row);
    TokenStatistics statistics =
        token_statistics<T, kMasked>(p, q, params.vocab, id, inverse_temperature, state);
    if (params.masked_log_probs != nullptr)
      statistics.masked_log_prob = params.masked_log_probs[row];

    const TokenObjective objective =
        token_objective(params.objective, statistics, params.data.at(row, has_masked));
    if (!objective.finite) return infinite_kl("papoLoss", row);
    store_statistics(statistics, params.statistics, params.rows, row);
    store_terms(objective.terms, params.terms, params.rows, row);

    if constexpr (kGradients) {
      const RowGradient gradient = row_gradient(statistics, objective.cotangents, state.reference_p,
                                                state.reference_q, scale, kMasked);
      const bool masked = kMasked && (grad_q != nullptr || uses_other_row(gradient));
      if (!masked && grad_p == nullptr) continue;
      before.emplace(
          GradientWalk<T, G>(
              GradientRow<T, G>{p, masked ? q : nullptr, grad_p, grad_q, params.vocab, id},
              inverse_temperature, state.reference_p, state.reference_q, gradient, store),
          walk.careful_columns);
      if (!in_step) {
        before->write_rest();
        before.reset();
      }
    }
  }
  if (kGradients && before) before->write_rest();
  return {};
}

inline Status papo_loss(const papo_loss::Params& params, std::size_t begin, std::size_t end) {
  const bool masked = params.masked_logits.present();
  const bool gradients = params.grad_logits.present() || params.grad_masked_logits.present();
  return dispatch_gradients(
      params.logits, params.grad_logits, params.grad_masked_logits, [&](auto t, auto g) {
        using T = decltype(t);
        using G = decltype(g);
        if (!gradients) {
          return masked ? papo_loss_rows<T, T, true, false>(params, begin, end)
                        : papo_loss_rows<T, T, false, false>(params, begin, end);
        }
        return masked ? papo_loss_rows<T, G, true, true>(params, begin, end)
                      : papo_loss_rows<T, G, false, true>(params, begin, end);
      });
}
