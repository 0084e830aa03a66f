#include "plugins/lm/weights/quantized.h"

#include "engine/base/files.h"
#include "plugins/lm/weights/float_codes.h"
#include "plugins/lm/weights/quantized_parts.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace stillroom::lm {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kReadable[] = {kGgufF32,
                                       kGgufF16,
                                       kGgufBf16,
                                       kGgufQ4_0,
                                       kGgufQ4_1,
                                       kGgufQ5_0,
                                       kGgufQ5_1,
                                       kGgufQ8_0,
                                       kGgufQ4_K,
                                       kGgufQ6_K};

Bytes of_hex(std::string_view hex) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(
            static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return bytes;
}

Bytes of_text(std::string_view text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return Bytes(data, data + text.size());
}

template <class Function>
Bytes results_of(Function function, std::uint32_t id, const Bytes& blocks, Dtype dtype) {
    const BlockType& type = *block_type(id);
    std::size_t each = dtype == Dtype::f32 ? 4 : 2;
    Bytes out(blocks.size() / type.bytes * type.values * each + 1, std::byte{0xee});
    function(type, blocks, dtype, std::span(out).first(out.size() - 1));
    CHECK(out.back() == std::byte{0xee});
    out.pop_back();
    return out;
}

std::vector<float> floats(const Bytes& bytes) {
    std::vector<float> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), values.size() * 4);
    return values;
}

std::vector<float> values_of(std::uint32_t id, const Bytes& blocks) {
    Bytes plain = results_of(dequantize_plain, id, blocks, Dtype::f32);
    CHECK(plain == results_of(dequantize, id, blocks, Dtype::f32));
    return floats(plain);
}

TEST_CASE("blocks that hold -16 to 15 hold what the golden bytes say") {
    std::vector<float> q8 = values_of(
        kGgufQ8_0, of_hex("083081899199a1a9b1b9c0c8d0d8e0e8f0f8000810182028303840474f575f676f77"));
    std::vector<float> q4 = values_of(kGgufQ4_0, of_hex("0040809191a2a2b3b3c4c4d5d5e6e6f7f7f8"));
    std::vector<float> q41 =
        values_of(kGgufQ4_1, of_hex("224000cc80809191a2a2b3b3c4c4d5d5e6e6f7f7"));
    std::vector<float> q5 =
        values_of(kGgufQ5_0, of_hex("003c0000ffff00112233445566778899aabbccddeeff"));
    REQUIRE(q8.size() == 32);
    for (int i = 0; i < 32; ++i) {
        auto at = static_cast<std::size_t>(i);
        float exact = static_cast<float>(i - 16);
        CHECK(std::abs(q8[at] - exact) <= 0.07F);
        CHECK(std::abs(q4[at] - exact) <= 1.0F);
        CHECK(std::abs(q41[at] - exact) <= 1.05F);
        CHECK(q5[at] == exact);
    }
    CHECK(q4[0] == -16.0F);
    CHECK(q41[0] == -16.0F);
}

TEST_CASE("a Q4_K and a Q6_K block give the golden values") {
    Bytes q4 = of_hex("003c0038112233445566778899aabbcc");
    for (int i = 0; i < 128; ++i)
        q4.push_back(static_cast<std::byte>(i));
    std::vector<float> y = values_of(kGgufQ4_K, q4);
    REQUIRE(y.size() == 256);
    CHECK(y[0] == -10.5F);
    CHECK(y[31] == 244.5F);
    CHECK(y[32] == -19.0F);
    CHECK(y[63] == 15.0F);
    CHECK(y[64] == -27.5F);
    CHECK(y[128] == -12.5F);
    CHECK(y[255] == 174.0F);
    double sum = 0;
    for (float value : y)
        sum += value;
    CHECK(sum == 25344);

    Bytes q6;
    for (int i = 0; i < 128; ++i)
        q6.push_back(static_cast<std::byte>(i));
    for (int i = 0; i < 64; ++i)
        q6.push_back(static_cast<std::byte>(3 * i));
    for (int i = 1; i <= 16; ++i)
        q6.push_back(static_cast<std::byte>(i));
    q6.push_back(std::byte{0x00});
    q6.push_back(std::byte{0x34});
    y = values_of(kGgufQ6_K, q6);
    CHECK(y[0] == -8.0F);
    CHECK(y[16] == -16.0F);
    CHECK(y[32] == -24.0F);
    CHECK(y[64] == -40.0F);
    CHECK(y[96] == -52.5F);
    CHECK(y[128] == -72.0F);
    CHECK(y[255] == 28.0F);
    sum = 0;
    for (float value : y)
        sum += value;
    CHECK(sum == -1764);
}

TEST_CASE("random blocks of each type give the numbers that the package gguf gives, bit for bit") {
    for (std::uint32_t id : kReadable) {
        const BlockType& type = *block_type(id);
        CAPTURE(type.name);
        Bytes all = of_text(read_file(
            std::string(STILLROOM_REFERENCE) + "/gguf/blocks/" + std::string(type.name) + ".bin",
            1 << 20));
        std::size_t blocks = all.size() / (type.bytes + 4 * type.values);
        Bytes stored(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(blocks * type.bytes));
        Bytes expected(all.begin() + static_cast<std::ptrdiff_t>(stored.size()), all.end());
        CHECK(results_of(dequantize_plain, id, stored, Dtype::f32) == expected);
        CHECK(results_of(dequantize, id, stored, Dtype::f32) == expected);
        // Rounding comes after: the same as rounding those numbers.
        for (Dtype dtype : {Dtype::bf16, Dtype::f16}) {
            Bytes rounded;
            NumberCounts bad;
            for (float value : floats(expected)) {
                std::byte two[4];  // a float would fit
                put_value(value, dtype, two, bad);
                rounded.insert(rounded.end(), two, two + 2);
            }
            CHECK(results_of(dequantize_plain, id, stored, dtype) == rounded);
            CHECK(results_of(dequantize, id, stored, dtype) == rounded);
        }
    }
}

TEST_CASE("whatever bytes a block has, the fast form writes and counts what the plain one does") {
    std::uint32_t state = 1;
    for (std::uint32_t id : kReadable) {
        const BlockType& type = *block_type(id);
        CAPTURE(type.name);
        Bytes blocks(std::size_t{type.bytes} * (type.values == 1 ? 50021 : 1021));
        for (std::byte& byte : blocks) {
            state = state * 1664525 + 1013904223;
            byte = static_cast<std::byte>(state >> 24);
        }
        // Now and then an infinite number or scale; those stand at one end of a block.
        std::string_view infinite = id == kGgufF32    ? std::string_view("\x00\x00\x80\x7f", 4)
                                    : id == kGgufBf16 ? std::string_view("\x80\x7f", 2)
                                                      : std::string_view("\x00\x7c", 2);
        for (std::size_t at = 0; at < blocks.size(); at += 5 * type.bytes) {
            std::memcpy(&blocks[at], infinite.data(), infinite.size());
            std::memcpy(
                &blocks[at + type.bytes - infinite.size()], infinite.data(), infinite.size());
        }
        for (Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
            std::size_t size =
                blocks.size() / type.bytes * type.values * (dtype == Dtype::f32 ? 4 : 2);
            Bytes plain(size), fast(size);
            NumberCounts plain_bad = dequantize_plain(type, blocks, dtype, plain);
            NumberCounts fast_bad = dequantize(type, blocks, dtype, fast);
            CHECK(plain == fast);
            CHECK(plain_bad == fast_bad);
            CHECK(plain_bad.nan > 0);
            CHECK(plain_bad.infinite > 0);
        }
    }
}

TEST_CASE("bf16 and f16 round to nearest even, and back is exact") {
    CHECK(bf16_of(1.00390625F) == 0x3f80);
    CHECK(bf16_of(1.01171875F) == 0x3f82);
    CHECK(bf16_of(3.3895e38F) == 0x7f7f);
    CHECK(bf16_of(std::numeric_limits<float>::max()) == 0x7f80);
    CHECK(bf16_of(std::nanf("1")) == 0x7fc0);
    CHECK(f16_of(65519.99F) == 0x7bff);
    CHECK(f16_of(65520.0F) == 0x7c00);
    CHECK(f16_of(0x1p-25F) == 0);
    CHECK(f16_of(0x1.8p-25F) == 1);
    CHECK(f16_of(-0x1p-14F) == 0x8400);
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        auto code = static_cast<std::uint16_t>(bits);
        if ((bits & 0x7fff) <= 0x7c00 && f16_of(float_of_f16(code)) != code)
            FAIL("f16 " << bits);
        if ((bits & 0x7fff) <= 0x7f80 && bf16_of(float_of_bf16(code)) != code)
            FAIL("bf16 " << bits);
    }
}

TEST_CASE("types that are not read have their names") {
    for (std::uint32_t id : {10u, 11u, 13u, 20u, 39u, 40u, 41u}) {
        REQUIRE(block_type(id));
        CHECK_FALSE(block_type(id)->readable);
    }
    CHECK(block_type(39)->name == "MXFP4");
    CHECK_FALSE(block_type(4));
    CHECK_FALSE(block_type(999));
    CHECK(readable_block_types() == "F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q6_K and BF16");
}

}  // namespace
}  // namespace stillroom::lm
