// JSON written as it is built: objects and arrays of numbers, words and each other.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

namespace papo::gpu::json {

inline std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') result += '\\';
    if (static_cast<unsigned char>(letter) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(letter));
      result += escaped;
    } else {
      result += letter;
    }
  }
  return result + '"';
}

/// Nine digits; JSON has no NaN or Infinity, so those become words.
inline std::string number(double value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

class Array {
 public:
  Array& add(double value) { return raw(number(value)); }
  Array& add(const std::string& value) { return raw(quoted(value)); }
  template <typename T>
  Array& add_value(const T& value) {
    return raw(value.text());
  }
  std::string text() const { return "[" + items_ + "]"; }

 private:
  Array& raw(const std::string& item) {
    items_ += (items_.empty() ? "" : ", ") + item;
    return *this;
  }
  std::string items_;
};

class Object {
 public:
  Object& set(const std::string& name, double value) { return raw(name, number(value)); }
  Object& set(const std::string& name, std::size_t value) {
    return raw(name, std::to_string(value));
  }
  Object& set(const std::string& name, int value) { return raw(name, std::to_string(value)); }
  Object& set(const std::string& name, bool value) { return raw(name, value ? "true" : "false"); }
  Object& set(const std::string& name, const std::string& value) {
    return raw(name, quoted(value));
  }
  Object& set(const std::string& name, const char* value) { return raw(name, quoted(value)); }
  Object& set(const std::string& name, const Object& value) { return raw(name, value.text()); }
  Object& set(const std::string& name, const Array& value) { return raw(name, value.text()); }
  std::string text() const { return "{" + members_ + "}"; }

 private:
  Object& raw(const std::string& name, const std::string& value) {
    members_ += (members_.empty() ? "" : ", ") + quoted(name) + ": " + value;
    return *this;
  }
  std::string members_;
};

}  // namespace papo::gpu::json
