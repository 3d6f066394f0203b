// copy, copyAsync and clear: rows of bytes between typed arrays and device buffers, bounds checked.
#include <utility>

#include "addon/async_task.hpp"
#include "addon/calls.hpp"
#include "addon/memory.hpp"
#include "addon/objects.hpp"
#include "addon/values.hpp"
#include "cuda/memory.hpp"

namespace papo::addon {
namespace {

/// An area as JavaScript described it, before any address was taken.
struct AreaArgument {
  napi_value data = nullptr;
  std::size_t byte_offset = 0;
  std::size_t pitch_bytes = 0;
};

/// One copy (or clearing of `to`) that was read and may run.
struct Transfer {
  explicit Transfer(const char* name) : where(name) {}

  const char* where;
  std::size_t rows = 0;
  std::size_t row_bytes = 0;
  cuda::Area from;
  cuda::Area to;
  cuda::StreamPtr stream;
  HeldMemory memory;

  bool empty() const { return rows == 0 || row_bytes == 0; }
};

bool on_device(const cuda::Area& area) { return area.device.kind != DeviceKind::cpu; }

/// What a property's getter leaves behind when it throws; its own exception is pending and goes first.
Status getter_threw(const char* where) {
  return {Code::argument, "[" + std::string(where) + "] an argument's getter threw"};
}

Status read_area(napi_env env, const char* where, const char* name, napi_value value,
                 AreaArgument& argument) {
  if (type_of(env, value) != napi_object) {
    return expected(Code::argument, where, std::string(name) + " to be an area",
                    described(env, value));
  }
  if (napi_get_named_property(env, value, "data", &argument.data) != napi_ok) {
    return getter_threw(where);
  }
  const char* const counts[] = {"byteOffset", "pitchBytes"};
  std::size_t* const results[] = {&argument.byte_offset, &argument.pitch_bytes};
  for (std::size_t i = 0; i < 2; ++i) {
    napi_value count;
    if (napi_get_named_property(env, value, counts[i], &count) != napi_ok) {
      return getter_threw(where);
    }
    Status status = read_count(env, where, std::string(name) + "." + counts[i], count, *results[i]);
    if (!status.ok()) return status;
  }
  return {};
}

/// Whether `rows` of `row_bytes` fit into `bytes` from `offset` on; no product is formed before it is known to fit.
bool fits(std::size_t bytes, const Transfer& transfer, std::size_t offset, std::size_t pitch) {
  if (transfer.empty()) return offset <= bytes;
  if (offset > bytes || pitch < transfer.row_bytes) return false;
  const std::size_t rest = bytes - offset;
  return transfer.row_bytes <= rest && transfer.rows - 1 <= (rest - transfer.row_bytes) / pitch;
}

Status take_area(napi_env env, const char* name, const AreaArgument& argument, Transfer& transfer,
                 cuda::Area& area) {
  const std::size_t offset = argument.byte_offset;
  Location location;
  Status status =
      locate(env, *state_of(env), transfer.where, name, argument.data, location, transfer.memory);
  if (!status.ok()) return status;
  if (!fits(location.bytes, transfer, offset, argument.pitch_bytes)) {
    return expected(Code::shape, transfer.where,
                    std::string(name) + " to hold " + std::to_string(transfer.rows) + " rows of " +
                        std::to_string(transfer.row_bytes) + " bytes at a pitch of " +
                        std::to_string(argument.pitch_bytes) + " from byte " +
                        std::to_string(offset),
                    std::to_string(location.bytes) + " bytes");
  }
  area = {static_cast<char*>(location.data) + offset, location.device, argument.pitch_bytes};
  return {};
}

/// Rows that touch each other. Exact where both areas have one pitch, as two blocks of columns of a matrix have.
bool overlap(const Transfer& transfer) {
  const auto from = reinterpret_cast<std::uintptr_t>(transfer.from.data);
  const auto to = reinterpret_cast<std::uintptr_t>(transfer.to.data);
  const std::size_t pitch = (from < to ? transfer.from : transfer.to).pitch_bytes;
  const std::size_t distance = from < to ? to - from : from - to;
  if (distance >= (transfer.rows - 1) * pitch + transfer.row_bytes) return false;
  if (transfer.from.pitch_bytes != transfer.to.pitch_bytes) return true;
  const std::size_t shift = distance % pitch;
  return shift < transfer.row_bytes || pitch - shift < transfer.row_bytes;
}

Status check_sides(const Transfer& transfer) {
  const bool from = on_device(transfer.from);
  const bool to = on_device(transfer.to);
  if (!from && !to) {
    return expected(Code::argument, transfer.where, "a device buffer on one side at least",
                    "typed arrays");
  }
  if (transfer.from.device == transfer.to.device && !transfer.empty() && overlap(transfer)) {
    return expected(Code::buffer, transfer.where, "from not to share memory with to",
                    "overlapping areas");
  }
  // Between two devices the stream may be of either.
  if (from && to && transfer.stream != nullptr &&
      transfer.stream->device() == transfer.from.device.index) {
    return {};
  }
  return check_stream_device(transfer.where, transfer.stream,
                             (to ? transfer.to : transfer.from).device.index);
}

/// Reads (from, to, rows, rowBytes, stream).
Status read_copy(const Napi::CallbackInfo& info, Transfer& transfer, HeldValues& values) {
  const Napi::Env env = info.Env();
  const char* const where = transfer.where;
  AreaArgument from;
  AreaArgument to;
  Status status = read_area(env, where, "from", info[0], from);
  if (status.ok()) status = read_area(env, where, "to", info[1], to);
  if (status.ok()) status = read_count(env, where, "rows", info[2], transfer.rows);
  if (status.ok()) status = read_count(env, where, "rowBytes", info[3], transfer.row_bytes);
  if (status.ok()) status = find_stream(env, where, info[4], transfer.stream);
  if (status.ok()) status = take_area(env, "from", from, transfer, transfer.from);
  if (status.ok()) status = take_area(env, "to", to, transfer, transfer.to);
  if (status.ok()) status = check_sides(transfer);
  if (!status.ok()) return status;
  values.keep(from.data);
  values.keep(to.data);
  values.keep(info[4]);
  return {};
}

Status execute(const Transfer& transfer) {
  if (transfer.empty()) return {};
  return cuda::copy(transfer.where, transfer.from, transfer.to, transfer.rows, transfer.row_bytes,
                    transfer.stream.get());
}

}  // namespace

Napi::Value copy(const Napi::CallbackInfo& info) {
  Transfer transfer("copy");
  HeldValues values;
  Status status = read_copy(info, transfer, values);
  if (status.ok()) status = execute(transfer);
  return ended(info.Env(), status);
}

Napi::Value copy_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Transfer transfer("copyAsync");
  HeldValues values;
  const Status status = read_copy(info, transfer, values);
  if (!status.ok()) return ended(env, status);
  return start(env, values, [transfer = std::move(transfer)] { return execute(transfer); });
}

Napi::Value clear(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Transfer transfer("clear");
  AreaArgument area;
  Status status = read_area(env, "clear", "area", info[0], area);
  if (status.ok()) status = read_count(env, "clear", "rows", info[1], transfer.rows);
  if (status.ok()) status = read_count(env, "clear", "rowBytes", info[2], transfer.row_bytes);
  if (status.ok()) status = find_stream(env, "clear", info[3], transfer.stream);
  if (status.ok()) status = take_area(env, "area", area, transfer, transfer.to);
  if (status.ok() && !on_device(transfer.to)) {
    status = expected(Code::argument, "clear", "area to be on a device", "a typed array");
  }
  if (status.ok()) {
    status = check_stream_device("clear", transfer.stream, transfer.to.device.index);
  }
  if (status.ok() && !transfer.empty()) {
    status =
        cuda::clear("clear", transfer.to, transfer.rows, transfer.row_bytes, transfer.stream.get());
  }
  return ended(env, status);
}

}  // namespace papo::addon
