// The module: measure(loop, isa, threads, arrays) and exponentials(isa, threads, count).
//
// It is given its arrays by JavaScript, so that they lie in the same kind of memory as those of the contenders.
#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "roofline/loops.hpp"
#include "roofline/teams.hpp"

namespace papo::roofline {
namespace {

/// Floats in one cache line of any processor we know, times what a loop takes in one turn.
constexpr std::size_t kGrain = 64;

const Loops* loops_of(const std::string& isa) {
#if defined(__x86_64__)
  if (isa == "avx512" || isa == "avx512_bf16") return &kAvx512Loops;
  if (isa == "avx2") return &kAvx2Loops;
#endif
#if defined(__aarch64__)
  if (isa == "neon") return &kNeonLoops;
#endif
  return isa == "scalar" ? &kScalarLoops : nullptr;
}

/// The plain copy is the C library's: whatever it holds best on this machine.
void copy(const Arrays& arrays) {
  std::memcpy(arrays.first_out, arrays.first, arrays.size * sizeof(float));
  std::memcpy(arrays.second_out, arrays.second, arrays.size * sizeof(float));
}

/// The part of the arrays that one thread of `threads` walks, in whole grains.
Arrays share_of(const Arrays& all, std::size_t thread, std::size_t threads) {
  const std::size_t grains = all.size / kGrain;
  const std::size_t begin = grains * thread / threads * kGrain;
  const std::size_t end = grains * (thread + 1) / threads * kGrain;
  return {all.first + begin, all.second + begin, all.first_out + begin, all.second_out + begin,
          end - begin};
}

/// The first cache line that begins in the array: malloc leaves its header before large ones.
float* aligned(float* data) {
  const std::uintptr_t line = kGrain * sizeof(float);
  return reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(data) + line - 1) / line *
                                  line);
}

Napi::Value refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value measure(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string loop = info[0].As<Napi::String>().Utf8Value();
  const Loops* loops = loops_of(info[1].As<Napi::String>().Utf8Value());
  if (loops == nullptr) return refuse(env, "unknown instruction set");
  const std::size_t threads = info[2].As<Napi::Number>().Uint32Value();
  const Napi::Array given = info[3].As<Napi::Array>();
  float* data[4];
  std::size_t size = SIZE_MAX;
  for (std::uint32_t i = 0; i < 4; ++i) {
    Napi::Float32Array array = given.Get(i).As<Napi::Float32Array>();
    data[i] = aligned(array.Data());
    size = std::min(size, array.ElementLength() - kGrain);
  }
  const Arrays all{data[0], data[1], data[2], data[3], size};

  std::vector<double> sums(threads);
  void (*moves)(const Arrays&) = nullptr;
  if (loop == "copy") moves = copy;
  if (loop == "write") moves = loops->write;
  if (loop == "streamingCopy") moves = loops->streaming_copy;
  if (loop == "twoByTwo") moves = loops->two_by_two;
  if (loop == "update") moves = loops->update;
  double (*reads)(const Arrays&) = nullptr;
  if (loop == "read") reads = loops->read;
  if (loop == "readBoth") reads = loops->read_both;
  if (moves == nullptr && reads == nullptr) return refuse(env, "unknown loop");
  const double seconds = seconds_of(threads, [&](std::size_t thread) {
    const Arrays part = share_of(all, thread, threads);
    if (moves != nullptr) {
      moves(part);
    } else {
      sums[thread] = reads(part);
    }
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  Napi::Object result = Napi::Object::New(env);
  result.Set("seconds", seconds);
  result.Set("bytes", static_cast<double>(size / kGrain * kGrain * 2 * sizeof(float)));
  result.Set("sum", sum);
  return result;
}

Napi::Value exponentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Loops* loops = loops_of(info[0].As<Napi::String>().Utf8Value());
  if (loops == nullptr) return refuse(env, "unknown instruction set");
  const std::size_t threads = info[1].As<Napi::Number>().Uint32Value();
  const auto count = static_cast<std::size_t>(info[2].As<Napi::Number>().Int64Value());
  const double seconds =
      seconds_of(threads, [&](std::size_t) { loops->exponentials(count / threads); });
  return Napi::Number::New(env, seconds);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("measure", Napi::Function::New(env, measure, "measure"));
  exports.Set("exponentials", Napi::Function::New(env, exponentials, "exponentials"));
  return exports;
}

}  // namespace
}  // namespace papo::roofline

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return papo::roofline::initialize(env, exports);
}

NODE_API_MODULE(papo_roofline, initialize)
