// The outcome of a call: a code, a sentence, and the row it speaks of. No exception crosses a floor.
#pragma once

#include <cstddef>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace papo {

enum class Code {
  ok,
  argument,
  shape,
  dtype,
  range,
  not_finite,
  disposed,
  buffer,
  device_mismatch,
  device_unavailable,
  unsupported,
  cuda,
  out_of_memory,
  aborted,
  internal,
};

/// The JavaScript side's name of a code (`lib/core/errors.ts`).
constexpr const char* name_of(Code code) {
  switch (code) {
    case Code::ok:
      return "OK";
    case Code::argument:
      return "ERR_ARGUMENT";
    case Code::shape:
      return "ERR_SHAPE";
    case Code::dtype:
      return "ERR_DTYPE";
    case Code::range:
      return "ERR_RANGE";
    case Code::not_finite:
      return "ERR_NOT_FINITE";
    case Code::disposed:
      return "ERR_DISPOSED";
    case Code::buffer:
      return "ERR_BUFFER";
    case Code::device_mismatch:
      return "ERR_DEVICE_MISMATCH";
    case Code::device_unavailable:
      return "ERR_DEVICE_UNAVAILABLE";
    case Code::unsupported:
      return "ERR_UNSUPPORTED";
    case Code::cuda:
      return "ERR_CUDA";
    case Code::out_of_memory:
      return "ERR_OUT_OF_MEMORY";
    case Code::aborted:
      return "ERR_ABORTED";
    case Code::internal:
      break;
  }
  return "ERR_INTERNAL";
}

class [[nodiscard]] Status {
 public:
  static constexpr std::int64_t kNoRow = -1;

  Status() = default;
  Status(Code code, std::string message, std::int64_t row = kNoRow)
      : code_(code), message_(std::move(message)), row_(row) {}

  bool ok() const { return code_ == Code::ok; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  /// The first row the message speaks of, or `kNoRow`.
  std::int64_t row() const { return row_; }

 private:
  Code code_ = Code::ok;
  std::string message_;
  std::int64_t row_ = kNoRow;
};

/// What `work` gives, or what it threw: an exception may neither leave a thread nor cross the runtime's frames. Both
/// messages are short enough to need no memory.
template <typename Work>
Status caught(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return {Code::out_of_memory, "out of memory"};
  } catch (const std::exception&) {
    return {Code::internal, "unexpected"};
  }
}

/// A number as JavaScript would show it, short of its last digits.
inline std::string show(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

/// `[where] expected WHAT, received RECEIVED`: the one form of every message, on both sides of the bridge.
inline Status expected(Code code, const std::string& where, const std::string& what,
                       const std::string& received, std::int64_t row = Status::kNoRow) {
  return {code, "[" + where + "] expected " + what + ", received " + received, row};
}

}  // namespace papo
