// The switch of an instrumented native build: every mutated operator, number and function asks it which of its forms to take.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace papo_mutant {

/// The file that PAPO_MUTANT_FILE names, mapped: an int32 that says which mutant is on, and from byte 8 on a byte for each
/// that was reached. Without the file all are off.
inline char* mapped() {
  static char* const memory = [] {
    static char none[1 << 16] = {-1, -1, -1, -1};
    const char* path = std::getenv("PAPO_MUTANT_FILE");
    const int file = path == nullptr ? -1 : ::open(path, O_RDWR);
    struct stat status{};
    if (file < 0 || ::fstat(file, &status) != 0) return none;
    void* at = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE,
                      MAP_SHARED, file, 0);
    return at == MAP_FAILED ? none : static_cast<char*>(at);
  }();
  return memory;
}

inline bool on(int id) {
  char* const memory = mapped();
  memory[8 + id] = 1;
  return *reinterpret_cast<const volatile std::int32_t*>(memory) == id;
}

/// `a + Operator<7>{} + b` is `a + b`, or a - b with mutant 7 on: an operator that stands between two of the same precedence
/// takes the left side with it to the right one.
template <int kId>
struct Operator {};
template <int kId, typename L>
struct Held {
  L left;
};

#define PAPO_MUTANT_OPERATOR(OP, ...)               \
  template <typename L, int kId>                    \
  Held<kId, L> operator OP(L left, Operator<kId>) { \
    return {left};                                  \
  }                                                 \
  template <int kId, typename L, typename R>        \
  auto operator OP(Held<kId, L> held, R right) {    \
    const L left = held.left;                       \
    __VA_ARGS__                                     \
    return left OP right;                           \
  }
PAPO_MUTANT_OPERATOR(+, if (on(kId)) return left - right;)
PAPO_MUTANT_OPERATOR(-, if (on(kId)) return left + right;)
PAPO_MUTANT_OPERATOR(*, if (on(kId)) return static_cast<decltype(left * right)>(left / right);)
PAPO_MUTANT_OPERATOR(/, if (on(kId)) return static_cast<decltype(left / right)>(left * right);)
PAPO_MUTANT_OPERATOR(<, if (on(kId)) return left <= right; if (on(kId + 1)) return left >= right;)
PAPO_MUTANT_OPERATOR(<=, if (on(kId)) return left<right; if (on(kId + 1)) return left> right;)
PAPO_MUTANT_OPERATOR(>, if (on(kId)) return left >= right; if (on(kId + 1)) return left <= right;)
PAPO_MUTANT_OPERATOR(>=, if (on(kId)) return left > right; if (on(kId + 1)) return left < right;)
PAPO_MUTANT_OPERATOR(==, if (on(kId)) return left != right;)
PAPO_MUTANT_OPERATOR(!=, if (on(kId)) return left == right;)
PAPO_MUTANT_OPERATOR(&&, if (on(kId)) return left || right;)
PAPO_MUTANT_OPERATOR(||, if (on(kId)) return left && right;)
#undef PAPO_MUTANT_OPERATOR

/// `a += Added<7>{} += b`, and so for `-=` and `*=`.
template <typename T>
struct Amount {
  T value;
  operator T() const { return value; }
};
template <int kId>
struct Assigned {
  template <typename T>
  Amount<T> operator+=(T value) const {
    return {on(kId) ? -value : value};
  }
  template <typename T>
  Amount<T> operator-=(T value) const {
    return {on(kId) ? -value : value};
  }
  template <typename T>
  Amount<T> operator*=(T value) const {
    return {on(kId) ? 1 / value : value};
  }
};

/// `Sign<7>{}->*x` is -x, and binds like it as far as products are concerned.
template <int kId>
struct Sign {
  template <typename T>
  T operator->*(T value) const {
    return on(kId) ? value : -value;
  }
};

template <int kId, typename T>
T number(T value, T changed) {
  return on(kId) ? changed : value;
}

#define PAPO_MUTANT_FUNCTION(NAME, CHANGED)                                    \
  template <int kId, typename... T>                                            \
  auto NAME(T... values) {                                                     \
    return on(kId) ? PAPO_MUTANT_CALL(CHANGED, values...) : ::NAME(values...); \
  }
template <typename T>
T same(T value) {
  return value;
}
#define PAPO_MUTANT_CALL(FUNCTION, ...) FUNCTION(__VA_ARGS__)
PAPO_MUTANT_FUNCTION(exp, ::expm1)
PAPO_MUTANT_FUNCTION(expm1, ::exp)
PAPO_MUTANT_FUNCTION(log, ::log1p)
PAPO_MUTANT_FUNCTION(log1p, ::log)
PAPO_MUTANT_FUNCTION(fmin, ::fmax)
PAPO_MUTANT_FUNCTION(fmax, ::fmin)
PAPO_MUTANT_FUNCTION(fabs, same)
#undef PAPO_MUTANT_FUNCTION
#undef PAPO_MUTANT_CALL

}  // namespace papo_mutant
