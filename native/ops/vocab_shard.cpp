#include "ops/vocab_shard.hpp"

#include <cmath>

namespace papo {

Status check_shard(const std::string& where, double offset, double total, std::size_t vocab) {
  const struct {
    const AttributeSpec& spec;
    double value;
  } attributes[] = {{kVocabOffsetAttribute, offset}, {kVocabTotalAttribute, total}};
  for (const auto& [spec, value] : attributes) {
    if (value != std::floor(value)) {
      return expected(Code::range, where, camel_case(spec.name) + " to be an integer", show(value));
    }
  }
  const VocabShard shard = bind_shard(offset, total, vocab);
  if (shard.offset + vocab > shard.total) {
    return expected(Code::range, where,
                    "vocabOffset and the columns of the logits to end at vocabTotal " +
                        std::to_string(shard.total) + " or before",
                    std::to_string(shard.offset) + " and " + std::to_string(vocab));
  }
  return {};
}

}  // namespace papo
