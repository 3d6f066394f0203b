#include "options.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace papo::gpu {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

std::size_t whole(const std::string& text, const std::string& of) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    throw std::invalid_argument(of + " needs a whole number, not \"" + text + "\"");
  }
  return static_cast<std::size_t>(std::stoull(text));
}

Case shape(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  const std::vector<std::string> sizes = split(parts.empty() ? "" : parts[0], 'x');
  if (sizes.size() != 2) throw std::invalid_argument("--shape is ROWSxVOCAB[:DTYPE[:LOGITS]]");
  Case each;
  each.rows = whole(sizes[0], "--shape");
  each.vocab = whole(sizes[1], "--shape");
  if (each.rows == 0 || each.vocab == 0)
    throw std::invalid_argument("--shape needs a row and a column");
  if (parts.size() > 1) {
    const auto known = std::find_if(std::begin(kAllDTypes), std::end(kAllDTypes), [&](DType dtype) {
      return contains(kLogitsDTypes, dtype) && parts[1] == papo::name_of(dtype);
    });
    if (known == std::end(kAllDTypes)) throw std::invalid_argument("no logits of " + parts[1]);
    each.dtype = *known;
  }
  if (parts.size() > 2) {
    const auto known = std::find_if(std::begin(kAllLogits), std::end(kAllLogits),
                                    [&](Logits kind) { return parts[2] == name_of(kind); });
    if (known == std::end(kAllLogits)) throw std::invalid_argument("no logits called " + parts[2]);
    each.logits = *known;
  }
  return each;
}

}  // namespace

const char* const kUsage = R"(papo_gpu [options]
  --stages LIST     of correctness,determinism,timing (all), or none
  --full            the whole sweep (default)
  --quick           a third of it, smaller tensors, fewer rounds
  --small           shapes for compute-sanitizer
  --tiny            shapes for the simulated device
  --shape RxV[:DTYPE[:LOGITS]]   correctness of this shape instead of the sweep; may be repeated
  --only WORD       timings whose name contains WORD
  --headline        timings of the first shape alone
  --seed N          other logits (1)
  --device N        (0)
  --plant WHAT      falsifies a statistic, a gradient, a gap or a repeat: shows that the run fails then
  --out DIR         one JSON per stage; refused on a simulated device
  --export DIR      a batch with its results, which other implementations are checked with
)";

bool Options::has(const std::string& stage) const {
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

std::size_t Options::most_bytes() const {
  return extent == Extent::full ? std::size_t{256} << 20 : std::size_t{64} << 20;
}

std::size_t Options::truth_rows() const { return extent == Extent::small ? 4 : 64; }

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= count) throw std::invalid_argument(word + " needs a value");
      return arguments[++i];
    };
    if (word == "--stages") {
      options.stages = split(value(), ',');
      if (options.stages == std::vector<std::string>{"none"}) options.stages.clear();
      for (const std::string& stage : options.stages) {
        if (stage != "correctness" && stage != "determinism" && stage != "timing") {
          throw std::invalid_argument("no stage called " + stage);
        }
      }
    } else if (word == "--full") {
      options.extent = Extent::full;
    } else if (word == "--quick") {
      options.extent = Extent::quick;
    } else if (word == "--small") {
      options.extent = Extent::small;
    } else if (word == "--tiny") {
      options.extent = Extent::tiny;
    } else if (word == "--shape") {
      options.extra.push_back(shape(value()));
    } else if (word == "--only") {
      options.only = value();
    } else if (word == "--headline") {
      options.headline = true;
    } else if (word == "--seed") {
      options.seed = static_cast<unsigned>(whole(value(), word));
    } else if (word == "--device") {
      options.device = static_cast<int>(whole(value(), word));
    } else if (word == "--plant") {
      options.plant = value();
      const char* const known[] = {"statistic", "gradient", "gap", "repeat"};
      if (std::find(std::begin(known), std::end(known), options.plant) == std::end(known)) {
        throw std::invalid_argument("nothing called " + options.plant + " can be planted");
      }
    } else if (word == "--out") {
      options.out = value();
    } else if (word == "--export") {
      options.export_to = value();
    } else if (word == "--help" || word == "-h") {
      options.help = true;
    } else {
      throw std::invalid_argument("no option called " + word);
    }
  }
  for (Case& each : options.extra) each.seed = options.seed;
  return options;
}

}  // namespace papo::gpu
