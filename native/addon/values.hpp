// JavaScript values -> counts, words, devices and addresses; what is none of them is refused with a sentence.
// None of these functions runs JavaScript.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.hpp"

namespace papo::addon {

napi_valuetype type_of(napi_env env, napi_value value);
inline bool is_missing(napi_env env, napi_value value) {
  const napi_valuetype type = type_of(env, value);
  return type == napi_undefined || type == napi_null;
}

/// A short description for messages: `"text"`, `-1.5`, `an object`.
std::string described(napi_env env, napi_value value);

/// Strings of the contract are short; a longer one is cut and matches nothing. Empty for what is no string.
std::string get_string(napi_env env, napi_value value);

/// A safe integer from 0 up; the caller makes the sentence of what is none.
bool count_of(double number, std::size_t& count);
Status read_count(napi_env env, const std::string& where, const std::string& name, napi_value value,
                  std::size_t& count);

/// The index of `"cuda:INDEX"`, a device that is there.
Status read_device(napi_env env, const std::string& where, napi_value value, int& index);

/// An address as a bigint, to the last bit.
Status read_pointer(napi_env env, const std::string& where, napi_value value,
                    std::uintptr_t& pointer);

}  // namespace papo::addon
