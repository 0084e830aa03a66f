#include "plugins/lm/weights/convert.h"

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/weights/float_codes.h"
#include "plugins/lm/weights/small_floats.h"
#include "tests/plugins/lm/weights/refusal.h"
#include "tests/plugins/lm/weights/tensor_text.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <vector>

namespace stillroom::lm {
namespace {

using Bytes = std::vector<std::byte>;

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
    Bytes out(values.size() * sizeof(T));
    std::memcpy(out.data(), values.data(), out.size());
    return out;
}

template <class T>
std::vector<T> values_of(const Bytes& bytes) {
    std::vector<T> out(bytes.size() / sizeof(T));
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
}

/// By both twins, which must agree.
Bytes converted(Dtype from_type, const Bytes& from, Dtype to_type, NumberCounts* counts = nullptr) {
    std::size_t elements = from.size() * 8 / static_cast<std::size_t>(bits_of(from_type));
    Bytes fast(elements * static_cast<std::size_t>(bits_of(to_type)) / 8), plain(fast.size());
    NumberCounts seen = convert(from_type, from, to_type, fast);
    CHECK(seen == convert_plain(from_type, from, to_type, plain));
    CHECK(fast == plain);
    if (counts)
        *counts = seen;
    return fast;
}

template <class From, class To>
To one(Dtype from_type, From value, Dtype to_type) {
    return values_of<To>(converted(from_type, bytes_of<From>({value}), to_type))[0];
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST_CASE("every code of every small type is what torch makes of it, both ways") {
    Json digests = Json::parse(read_file(STILLROOM_REFERENCE "/conversions/digests.json", 1 << 16));
    Bytes halves(2 * 65536), codes(256);
    for (std::uint32_t code = 0; code < 65536; ++code) {
        auto half = static_cast<std::uint16_t>(code);
        std::memcpy(halves.data() + std::size_t{2} * code, &half, 2);
        codes[code % 256] = static_cast<std::byte>(code);
    }
    std::vector<std::uint32_t> edges;
    for (std::uint32_t low :
         {0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fff, 0x8000, 0x8001, 0xffff})
        for (std::uint32_t high = 0; high < 65536; ++high)
            edges.push_back(high << 16 | low);
    Bytes floats = bytes_of(edges);
    auto digest = [](const Bytes& bytes) { return digest_of(text_of(bytes)); };
    struct {
        Dtype dtype;
        std::string name;
        const Bytes& all;
    } types[] = {{Dtype::bf16, "bf16", halves},
                 {Dtype::f16, "f16", halves},
                 {Dtype::f8_e4m3, "e4m3", codes},
                 {Dtype::f8_e5m2, "e5m2", codes},
                 {Dtype::f8_e8m0, "e8m0", codes}};
    for (const auto& type : types) {
        CAPTURE(type.name);
        CHECK(digest(converted(type.dtype, type.all, Dtype::f32)) ==
              digests.at(type.name + " to f32").string());
        CHECK(digest(converted(Dtype::f32, floats, type.dtype)) ==
              digests.at("f32 to " + type.name).string());
    }
}

TEST_CASE("the golden codes of E4M3, E5M2, E2M1 and bf16 come out") {
    auto e4m3 = [](float value) { return small_float_of(kE4M3, value); };
    const std::pair<float, int> golden[] = {{1, 0x38},
                                            {-1, 0xb8},
                                            {2, 0x40},
                                            {0.1f, 0x1d},
                                            {0x1p-6f, 0x08},
                                            {0x1p-9f, 0x01},
                                            {0x1p-10f, 0x00},
                                            {0x3p-10f, 0x02},
                                            {17, 0x58},
                                            {18, 0x59},
                                            {19, 0x5a},
                                            {240, 0x77},
                                            {-0.0f, 0x80},
                                            {448, 0x7e},
                                            {464, 0x7e},
                                            {465, 0x7e},
                                            {kInf, 0x7e},
                                            {-kInf, 0xfe},
                                            {kNan, 0x7f}};
    for (auto [value, code] : golden)
        CHECK(e4m3(value) == code);
    CHECK(small_float_of(kE5M2, 57344) == 0x7b);
    CHECK(small_float_of(kE5M2, 61440) == 0x7b);
    CHECK(small_float_of(kE5M2, kInf) == 0x7b);
    CHECK(small_float_of(kE5M2, kNan) == 0x7f);
    CHECK(small_float_value(kE5M2, 0x7c) == kInf);
    CHECK(e8m0_value(0) == 0x1p-127f);
    CHECK(std::isnan(e8m0_value(255)));
    CHECK(one<float, std::uint16_t>(Dtype::f32, 1.00390625f, Dtype::bf16) == 0x3f80);
    CHECK(one<float, std::uint16_t>(Dtype::f32, 1.01171875f, Dtype::bf16) == 0x3f82);
    CHECK(one<float, std::uint16_t>(Dtype::f32, 3.3895e38f, Dtype::bf16) == 0x7f7f);
    CHECK(one<float, std::uint16_t>(Dtype::f32, -kNan, Dtype::bf16) == 0x7fc0);
}

TEST_CASE("E2M1 is packed two a byte, the first one low, ties to the even code") {
    std::vector<float> values = {0, .5, 1, 1.5, 2, 3, 4, 6, -.5, -1, -1.5, -2, -3, -4, -6, -0.f};
    Bytes packed = converted(Dtype::f32, bytes_of(values), Dtype::f4);
    CHECK(text_of(packed) == "\x10\x32\x54\x76\xa9\xcb\xed\x8f");
    CHECK(converted(Dtype::f4, packed, Dtype::f32) == bytes_of(values));
    std::vector<float> ties = {.25f, .75f, 1.25f, 1.75f, 2.5f, 3.5f, 5, 5.01f};
    std::vector<float> even = {0, 1, 1, 2, 2, 4, 4, 6};
    CHECK(converted(Dtype::f4, converted(Dtype::f32, bytes_of(ties), Dtype::f4), Dtype::f32) ==
          bytes_of(even));
}

TEST_CASE("NaN, infinities and what is too large are counted, wherever they stand") {
    for (std::size_t at : {0, 7, 8, 4095, 4096, 9998}) {
        std::vector<float> values(10'000, 1);
        values[at] = kNan;
        values[at + 1] = 65520;  // the least that F16 cannot hold
        values[9'000] = -kInf;
        NumberCounts counts;
        converted(Dtype::f32, bytes_of(values), Dtype::f16, &counts);
        CHECK(counts == NumberCounts{1, 1, 1});
        converted(Dtype::f32, bytes_of(values), Dtype::bf16, &counts);
        CHECK(counts == NumberCounts{1, 1, 0});
        converted(Dtype::f32, bytes_of(values), Dtype::f64, &counts);
        CHECK(counts == NumberCounts{1, 1, 0});
        converted(Dtype::f32, bytes_of(values), Dtype::f8_e4m3, &counts);
        CHECK(counts == NumberCounts{1, 1, 1});
        CHECK(count_numbers(Dtype::f32, bytes_of(values)) == NumberCounts{1, 1, 0});
    }
    NumberCounts counts;
    converted(
        Dtype::f32, bytes_of<float>({3.3895314e38f, 3.397e38f, -3.4e38f}), Dtype::bf16, &counts);
    CHECK(counts == NumberCounts{0, 0, 2});
    CHECK_FALSE(NumberCounts().any());
    CHECK(counts.any());
    std::vector<std::uint16_t> halves = {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0x3c00};
    CHECK(count_numbers(Dtype::f16, bytes_of(halves)) == NumberCounts{2, 2, 0});
    CHECK(count_numbers(Dtype::i64, Bytes(16)) == NumberCounts{});
}

TEST_CASE("F64 goes by way of F32, and what F32 cannot hold is an overflow, no infinity") {
    std::vector<double> values = {1e39, -1e300, 2.5, double{kInf}, double{kNan}, 1e-300};
    NumberCounts counts;
    std::vector<float> single =
        values_of<float>(converted(Dtype::f64, bytes_of(values), Dtype::f32, &counts));
    CHECK(counts == NumberCounts{1, 1, 2});
    CHECK(single[0] == kInf);
    CHECK(single[1] == -kInf);
    CHECK(single[2] == 2.5f);
    CHECK(single[5] == 0);
    CHECK(count_numbers(Dtype::f64, bytes_of(values)) == NumberCounts{1, 1, 0});
    converted(Dtype::f64, bytes_of(values), Dtype::f16, &counts);
    CHECK(counts == NumberCounts{1, 1, 2});
    CHECK(one<double, std::uint16_t>(Dtype::f64, 0.1, Dtype::f16) == 0x2e66);
    CHECK(one<std::uint16_t, double>(Dtype::bf16, 0x3fc0, Dtype::f64) == 1.5);
}

TEST_CASE("the same type is copied bit for bit, and counted") {
    std::vector<std::uint32_t> bits = {0x7f800001, 0xffffffff, 0x7f800000, 1};
    NumberCounts counts;
    CHECK(converted(Dtype::f32, bytes_of(bits), Dtype::f32, &counts) == bytes_of(bits));
    CHECK(counts == NumberCounts{2, 1, 0});
}

TEST_CASE("a code that F16 or bf16 can hold comes back from F32 and F64") {
    std::vector<std::uint16_t> all;
    for (std::uint32_t code = 0; code < 65536; ++code)
        all.push_back(static_cast<std::uint16_t>(code));
    for (Dtype half : {Dtype::f16, Dtype::bf16})
        for (Dtype wide : {Dtype::f32, Dtype::f64}) {
            std::vector<std::uint16_t> back = values_of<std::uint16_t>(
                converted(wide, converted(half, bytes_of(all), wide), half));
            std::size_t wrong = 0;
            for (std::size_t code = 0; code < all.size(); ++code) {
                float value =
                    half == Dtype::f16 ? float_of_f16(all[code]) : float_of_bf16(all[code]);
                wrong += !std::isnan(value) && back[code] != all[code];
            }
            CHECK(wrong == 0);
        }
}

TEST_CASE("neither side need be aligned, and any number of elements is right") {
    std::vector<float> values;
    for (int i = 0; i < 100; ++i)
        values.push_back(static_cast<float>(i) * 0.37f);
    Bytes whole = converted(Dtype::f32, bytes_of(values), Dtype::bf16);
    for (std::size_t count = 0; count <= 100; ++count) {
        Bytes from(4 * count + 1), to(2 * count + 1);
        std::memcpy(from.data() + 1, values.data(), 4 * count);
        convert(Dtype::f32, std::span(from).subspan(1), Dtype::bf16, std::span(to).subspan(1));
        CHECK(std::memcmp(to.data() + 1, whole.data(), 2 * count) == 0);
    }
}

TEST_CASE("what is no number of ours, or sides of different lengths, are refused") {
    Bytes four(4), two(2);
    CHECK(refusal_of([&] { convert(Dtype::i32, four, Dtype::f32, four); }) ==
          "3: I32 is no type that can be converted");
    CHECK(refusal_of([&] { convert(Dtype::f32, four, Dtype::f8_e4m3fnuz, two); }) ==
          "3: F8_E4M3FNUZ is no type that can be converted");
    CHECK(refusal_of([&] { convert(Dtype::f32, four, Dtype::bf16, four); }).starts_with("70: "));
    CHECK(refusal_of([&] { convert(Dtype::f32, four, Dtype::f4, {}); }).starts_with("70: "));
}

}  // namespace
}  // namespace stillroom::lm
