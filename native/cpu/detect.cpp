#include "cpu/detect.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <cstdlib>

namespace papo::cpu {
namespace {

#if defined(__x86_64__) || defined(__i386__)
/// By its bit: clang 14 does not know the name. What the system must save for it, it saves for AVX2.
bool supports_f16c() {
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

std::vector<Isa> detect() {
  std::vector<Isa> isas;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && supports_f16c();
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
