// The exponential of every instruction set this processor has, against the C library in float64.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cpu/backend.hpp"

using namespace papo;

// No sum keeps a t above 4 (kHeadroom): what lies beyond makes its reference rise and is done again.
TEST_CASE(
    "exp is within 2e-7 relative on [-20, 4], 4e-7 on [-87, 4] and 4.5e-7 up to 88 on every "
    "instruction set") {
  std::vector<float> t;
  for (float value = -87.0F; value <= 88.0F; value += 0.00011F) t.push_back(value);
  for (float value = -1.0F; value <= 1.0F; value += 0.0000173F) t.push_back(value);
  t.push_back(0.0F);
  t.push_back(-87.0F);
  std::vector<float> result(t.size());
  for (const cpu::Isa isa : cpu::available_isas()) {
    cpu::table_of(isa).exp(t.data(), result.data(), t.size());
    double worst_near = 0, worst_kept = 0, worst = 0;
    for (std::size_t i = 0; i < t.size(); ++i) {
      const double truth = std::exp(static_cast<double>(t[i]));
      const double error = std::fabs(static_cast<double>(result[i]) - truth) / truth;
      worst = std::fmax(worst, error);
      if (t[i] <= 4) worst_kept = std::fmax(worst_kept, error);
      if (t[i] >= -20 && t[i] <= 4) worst_near = std::fmax(worst_near, error);
    }
    MESSAGE(std::string(cpu::name_of(isa)), ": ", worst_near, " on [-20, 4], ", worst_kept,
            " on [-87, 4], ", worst, " on [-87, 88]");
    CHECK(worst_near < 2e-7);
    CHECK(worst_kept < 4e-7);
    CHECK(worst < 4.5e-7);
    if (isa == cpu::Isa::neon) CHECK(worst < 8e-8);
  }
}

TEST_CASE("exp keeps NaN and gives exactly 1 at 0") {
  for (const cpu::Isa isa : cpu::available_isas()) {
    CAPTURE(std::string(cpu::name_of(isa)));
    const float nan = std::numeric_limits<float>::quiet_NaN();
    float kept = 0;
    cpu::table_of(isa).exp(&nan, &kept, 1);
    CHECK(std::isnan(kept));
    const float zero = 0;
    float one = 0;
    cpu::table_of(isa).exp(&zero, &one, 1);
    CHECK(one == 1.0F);
  }
}
