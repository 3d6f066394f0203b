#include "addon/values.hpp"

#include <cmath>

#include "cuda/backend.hpp"

namespace papo::addon {
namespace {

constexpr double kMaxCount = 9007199254740991.0;  // 2^53 - 1, the largest count JavaScript can say
constexpr std::size_t kShown = 40;                // characters of a string that a message repeats

/// `cuda:` and one to three digits; -1 for anything else.
int index_of(const std::string& name) {
  const std::string prefix = "cuda:";
  if (name.compare(0, prefix.size(), prefix) != 0) return -1;
  const std::string digits = name.substr(prefix.size());
  if (digits.empty() || digits.size() > 3) return -1;
  int index = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return -1;
    index = 10 * index + (digit - '0');
  }
  return index;
}

}  // namespace

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

std::string described(napi_env env, napi_value value) {
  switch (type_of(env, value)) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean: {
      bool truth = false;
      napi_get_value_bool(env, value, &truth);
      return truth ? "true" : "false";
    }
    case napi_number: {
      double number = 0;
      napi_get_value_double(env, value, &number);
      return show(number);
    }
    case napi_string:
      return "\"" + get_string(env, value).substr(0, kShown) + "\"";
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_bigint:
      return "a bigint";
    default:
      return "an object";
  }
}

std::string get_string(napi_env env, napi_value value) {
  char text[64] = {};
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, text, sizeof text, &length) != napi_ok) return {};
  return {text, length};
}

bool count_of(double number, std::size_t& count) {
  if (!(number >= 0 && number <= kMaxCount)) return false;
  // A call reads dozens of them: back and forth is two instructions, rounding a call of the mathematics library.
  count = static_cast<std::size_t>(number);
  return static_cast<double>(count) == number;
}

Status read_count(napi_env env, const std::string& where, const std::string& name, napi_value value,
                  std::size_t& count) {
  double number = -1;
  if (napi_get_value_double(env, value, &number) == napi_ok && count_of(number, count)) return {};
  return expected(Code::shape, where, name + " to be a count", described(env, value));
}

Status read_device(napi_env env, const std::string& where, napi_value value, int& index) {
  const std::string name = get_string(env, value);
  index = index_of(name);
  if (index < 0) {
    return expected(Code::argument, where, "device to be a CUDA device such as \"cuda:0\"",
                    described(env, value));
  }
  return cuda::check_device(where, index);
}

Status read_pointer(napi_env env, const std::string& where, napi_value value,
                    std::uintptr_t& pointer) {
  std::uint64_t bits = 0;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env, value, &bits, &lossless) != napi_ok) {
    return expected(Code::argument, where, "pointer to be a bigint", described(env, value));
  }
  pointer = static_cast<std::uintptr_t>(bits);
  if (lossless && pointer == bits) return {};
  return expected(Code::range, where, "pointer to be an address", "a bigint that is none");
}

}  // namespace papo::addon
