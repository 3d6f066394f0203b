// Two vectors of a row at a time. bfloat16 is cheapest as its even and its odd elements, which share a register; the
// order matters to nobody in between, as long as a pair is stored as it was loaded.

struct Pair {
  Vec first, second;
};

/// Where the pairs of the elements [begin, end) end. One lane has none: gcc 12 rounds two such at once
/// differently from one (-ftree-slp-vectorize), and a row's bits may not depend on how it is cut.
inline std::size_t end_of_pairs(std::size_t begin, std::size_t end) {
  constexpr std::size_t kPair = 2 * Vec::kWidth;
  return Vec::kWidth == 1 ? begin : begin + (end - begin) / kPair * kPair;
}

/// Whether pairs of logits T are even and odd elements, where they become gradients G.
template <typename T, typename G = T>
inline constexpr bool kPairsEvenOdd =
    Vec::kEvenOdd && std::is_same_v<T, BFloat16> && std::is_same_v<G, BFloat16>;

template <bool kEvenOdd, typename T>
inline Pair load_pair(const T* from) {
  if constexpr (kEvenOdd) {
    Pair pair;
    load_even_odd(from, pair.first, pair.second);
    return pair;
  } else {
    return {Vec::load(from), Vec::load(from + Vec::kWidth)};
  }
}

/// Bytes ahead of the walk down that it asks for: beyond the page that the hardware looks after by itself.
inline constexpr std::size_t kAhead = 4096;

/// Asks for what lies `kAhead` beyond a pair.
template <typename T>
inline void fetch_ahead(const T* pair) {
  constexpr std::size_t kLine = 64;
  const char* from = reinterpret_cast<const char*>(pair) + kAhead;
  for (std::size_t byte = 0; byte < 2 * Vec::kWidth * sizeof(T); byte += kLine)
    __builtin_prefetch(from + byte);
}

/// How gradients are written.
enum class Store {
  plain,
  stream,  ///< past the caches, at multiples of a vector's bytes: what was there is not read first
  add      ///< to what was there
};

/// Whether gradients G may be streamed. 16-bit ones would leave in halves of cache lines, which costs more than
/// reading them first.
template <typename G>
inline constexpr bool kStreams = std::is_same_v<G, float>;

template <Store kStore, typename G>
inline void write(Vec value, G* to) {
  if constexpr (kStore == Store::stream) {
    value.stream(to);
  } else {
    (kStore == Store::add ? value + Vec::load(to) : value).store(to);
  }
}

template <Store kStore, bool kEvenOdd, typename G>
inline void write(Pair pair, G* to) {
  if constexpr (!kEvenOdd) {
    write<kStore>(pair.first, to);
    write<kStore>(pair.second, to + Vec::kWidth);
  } else {
    static_assert(kStore != Store::stream, "16-bit gradients are not streamed");
    if constexpr (kStore == Store::add) {
      const Pair before = load_pair<true>(to);
      pair = {pair.first + before.first, pair.second + before.second};
    }
    store_even_odd(pair.first, pair.second, to);
  }
}
