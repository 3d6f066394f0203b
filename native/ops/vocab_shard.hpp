// Which part of the vocabulary the logits of a call are: all of it, or the columns that one rank or one chunk holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.hpp"
#include "ops/op_spec.hpp"

namespace papo {

/// Columns [offset, offset + vocab) of a vocabulary of `total` tokens; token ids count over the whole of it.
struct VocabShard {
  std::size_t offset = 0;
  std::size_t total = 0;

  /// The column of a checked id, at or above `vocab` where another shard holds it.
  std::size_t column_of(std::int32_t id) const { return static_cast<std::size_t>(id) - offset; }
};

/// Ids are int32, so no vocabulary that they count over is larger.
inline constexpr double kMostTokens = 2147483647;

/// The attributes of an op that can work on a shard; a total of 0 says that the shard is the vocabulary's last.
inline constexpr AttributeSpec kVocabOffsetAttribute = {"vocab_offset", 0, 0, kMostTokens};
inline constexpr AttributeSpec kVocabTotalAttribute = {"vocab_total", 0, 0, kMostTokens};

inline VocabShard bind_shard(double offset, double total, std::size_t vocab) {
  const auto first = static_cast<std::size_t>(offset);
  return {first, total == 0 ? first + vocab : static_cast<std::size_t>(total)};
}

/// Whole numbers, and no column past the vocabulary's end.
Status check_shard(const std::string& where, double offset, double total, std::size_t vocab);

/// The factor of every logit. A vocabulary of one token has the same statistics at every temperature, and at 1
/// they come out exact: the reference is then the logit itself and not its rounded quotient.
inline float inverse_of(double temperature, std::size_t vocab_total) {
  return vocab_total == 1 ? 1.0F : static_cast<float>(1 / temperature);
}

}  // namespace papo
