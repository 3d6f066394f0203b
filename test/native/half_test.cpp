// float16 and bfloat16 conversions, over every bit pattern there is.
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "core/half.hpp"

using namespace papo;

TEST_CASE("every float16 survives the way to float32 and back") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const Float16 half{static_cast<std::uint16_t>(bits)};
    const float value = to_float(half);
    Float16 back{};
    from_float(value, back);
    if (std::isnan(value)) {
      Float16 nan{};
      from_float(value, nan);
      CHECK(std::isnan(to_float(nan)));
    } else {
      CHECK(back.bits == half.bits);
    }
  }
}

TEST_CASE("every bfloat16 survives the way to float32 and back") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const BFloat16 brain{static_cast<std::uint16_t>(bits)};
    const float value = to_float(brain);
    BFloat16 back{};
    from_float(value, back);
    if (std::isnan(value)) {
      CHECK(std::isnan(to_float(back)));
    } else {
      CHECK(back.bits == brain.bits);
    }
  }
}

TEST_CASE("float32 rounds to the nearer float16, ties to even") {
  const auto rounded = [](float value) {
    Float16 half{};
    from_float(value, half);
    return half.bits;
  };
  CHECK(rounded(1.0F + 0x1p-11F) == 0x3C00);             // a tie: down to even
  CHECK(rounded(1.0F + 0x1p-11F + 0x1p-20F) == 0x3C01);  // above the tie
  CHECK(rounded(1.0F + 3 * 0x1p-11F) == 0x3C02);         // a tie: up to even
  CHECK(rounded(65504.0F) == 0x7BFF);
  CHECK(rounded(65519.0F) == 0x7BFF);
  CHECK(rounded(65520.0F) == 0x7C00);
  CHECK(rounded(0x1p-24F) == 0x0001);
  CHECK(rounded(0x1p-25F) == 0x0000);  // a tie: down to even
  CHECK(rounded(-0x1.8p-25F) == 0x8001);
}

TEST_CASE("float32 rounds to the nearer bfloat16, ties to even") {
  const auto rounded = [](float value) {
    BFloat16 brain{};
    from_float(value, brain);
    return brain.bits;
  };
  CHECK(rounded(1.0F + 0x1p-8F) == 0x3F80);
  CHECK(rounded(1.0F + 3 * 0x1p-8F) == 0x3F82);
  CHECK(rounded(std::numeric_limits<float>::max()) == 0x7F80);
}
