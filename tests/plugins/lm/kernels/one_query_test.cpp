#include "plugins/lm/kernels/one_query.h"

#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstring>

using namespace stillroom::lm;

namespace {

std::vector<Bf16> halves_of_wave(std::vector<float>& values) {
    std::vector<Bf16> out;
    for (float& value : values) {
        auto bits = std::bit_cast<std::uint32_t>(value) & 0xffff0000;
        out.push_back({static_cast<std::uint16_t>(bits >> 16)});
        value = std::bit_cast<float>(bits);
    }
    return out;
}

}  // namespace

TEST_CASE("one query's attention is its twin's on every tier, for any heads, keys and dims") {
    for (Tier tier : tiers())
        for (std::size_t heads : {1, 2, 3, 4, 5, 9})
            for (std::size_t dim : {16, 64, 80})
                for (std::size_t keys : {1, 7, 16, 33, 200}) {
                    CAPTURE(static_cast<int>(tier));
                    CAPTURE(heads);
                    CAPTURE(dim);
                    CAPTURE(keys);
                    OneQuery query{heads, dim, keys, 3 * dim + 16, 0.3F};
                    std::vector<float> q = wave(heads * dim, 0.71, 1),
                                       k = wave(keys * query.key_step, 0.37, 1),
                                       v = wave(keys * query.key_step, 0.53, 2);
                    std::vector<Bf16> q_half = halves_of_wave(q), k_half = halves_of_wave(k),
                                      v_half = halves_of_wave(v), out_half(q.size());
                    std::vector<float> expected(q.size()), found(q.size()),
                        scratch(scratch_of(query));
                    attend_one_plain(query, q.data(), k.data(), v.data(), expected.data());
                    attend_one(
                        tier, query, q.data(), k.data(), v.data(), found.data(), scratch.data());
                    attend_one(tier,
                               query,
                               q_half.data(),
                               k_half.data(),
                               v_half.data(),
                               out_half.data(),
                               scratch.data());
                    double gap = 0, half_gap = 0;
                    for (std::size_t i = 0; i < q.size(); i++) {
                        auto half = std::bit_cast<float>(std::uint32_t{out_half[i].bits} << 16);
                        gap = std::max(gap, std::abs(double{found[i]} - expected[i]));
                        half_gap = std::max(half_gap, std::abs(double{half} - expected[i]));
                    }
                    CHECK(gap < 1e-5);
                    CHECK(half_gap < 2.0 / 256);
                }
}
