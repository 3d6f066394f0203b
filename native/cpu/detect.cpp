#include "cpu/detect.hpp"

#include <cstdlib>

namespace papo::cpu {
namespace {

std::vector<Isa> detect() {
  std::vector<Isa> isas;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512bf16")) isas.push_back(Isa::avx512_bf16);
  if (avx512) isas.push_back(Isa::avx512);
  if (avx2) isas.push_back(Isa::avx2);
#elif defined(__aarch64__)
  isas.push_back(Isa::neon);
#endif
  isas.push_back(Isa::scalar);
  return isas;
}

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_bf16:
      return "avx512_bf16";
    case Isa::neon:
      return "neon";
    case Isa::scalar:
      break;
  }
  return "scalar";
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> isas = detect();
  return isas;
}

Status choose_isa(Isa& chosen) {
  const std::vector<Isa>& isas = available_isas();
  chosen = isas.front();
  const char* forced = std::getenv("PAPO_CPU_ISA");
  if (forced == nullptr || *forced == '\0') return {};
  std::string names;
  for (const Isa isa : isas) {
    if (std::string(forced) == name_of(isa)) {
      chosen = isa;
      return {};
    }
    names += (names.empty() ? "" : ", ") + std::string(name_of(isa));
  }
  return expected(Code::unsupported, "papo",
                  "PAPO_CPU_ISA to name an instruction set that this processor has (" + names + ")",
                  std::string("\"") + forced + "\"");
}

}  // namespace papo::cpu
