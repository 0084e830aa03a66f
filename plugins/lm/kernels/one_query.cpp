#include "plugins/lm/kernels/one_query.h"

#include "plugins/lm/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::size_t kHeads = 4;  // whose sums stay in registers while a key goes by

/// Lane i: of a and its neighbour `step` lanes away if bit `step` of i is 0, else of b.
template <std::size_t step, class Floats, std::size_t... lane>
STILLROOM_INLINE void fold(Floats& a, const Floats& b, std::index_sequence<lane...>) {
    Floats own =
        __builtin_shufflevector(a, b, ((lane & step) == 0 ? lane : lane + kLanes<Floats>)...);
    Floats other = __builtin_shufflevector(
        a, b, ((lane & step) == 0 ? lane + step : lane - step + kLanes<Floats>)...);
    a = own + other;
}

/// Sums of as many vectors as a vector has lanes, each in its lane of the first.
template <class Floats, std::size_t step = kLanes<Floats> / 2>
STILLROOM_INLINE void sums_of(Floats* x) {
    for (std::size_t i = 0; i < step; i++)
        fold<step>(x[i], x[i + step], std::make_index_sequence<kLanes<Floats>>());
    if constexpr (step > 1)
        sums_of<Floats, step / 2>(x);
}

/// Scores of `heads` heads: [heads, keys] at `scores`.
template <class Floats, std::size_t heads, class Element>
STILLROOM_INLINE void score_keys(const OneQuery& query,
                                 const float* q,
                                 const Element* keys,
                                 float* scores) {
    constexpr std::size_t lanes = kLanes<Floats>;
    for (std::size_t first = 0; first < query.keys; first += lanes) {
        std::size_t count = std::min(lanes, query.keys - first);
        Floats parts[heads][lanes] = {};
        for (std::size_t i = 0; i < count; i++) {
            const Element* key = keys + (first + i) * query.key_step;
            Floats sums[heads] = {};
            for (std::size_t d = 0; d < query.dim; d += lanes) {
                Floats k, x;
                load(k, key + d);
                for (std::size_t head = 0; head < heads; head++) {
                    load(x, q + head * query.dim + d);
                    sums[head] += x * k;
                }
            }
            for (std::size_t head = 0; head < heads; head++)
                parts[head][i] = sums[head];
        }
        for (std::size_t head = 0; head < heads; head++) {
            sums_of<Floats>(parts[head]);
            store_part(scores + head * query.keys + first, parts[head][0], count);
        }
    }
}

/// What `heads` heads take of the values by their shares [heads, keys], of `vectors` vectors of
/// dims from `d` on.
template <class Floats, std::size_t heads, std::size_t vectors, class Element>
STILLROOM_INLINE void mix_dims(const OneQuery& query,
                               const float* shares,
                               const Element* values,
                               Element* out,
                               std::size_t d) {
    constexpr std::size_t lanes = kLanes<Floats>;
    Floats sums[heads][vectors] = {};
    for (std::size_t key = 0; key < query.keys; key++) {
        const Element* from = values + key * query.key_step + d;
        for (std::size_t i = 0; i < vectors; i++) {
            Floats value;
            load(value, from + i * lanes);
            for (std::size_t head = 0; head < heads; head++)
                sums[head][i] += value * shares[head * query.keys + key];
        }
    }
    for (std::size_t head = 0; head < heads; head++)
        for (std::size_t i = 0; i < vectors; i++)
            store_part(out + head * query.dim + d + i * lanes, sums[head][i], lanes);
}

template <class Floats, std::size_t heads, class Element>
STILLROOM_INLINE void mix_values(const OneQuery& query,
                                 const float* shares,
                                 const Element* values,
                                 Element* out) {
    constexpr std::size_t lanes = kLanes<Floats>, several = 4;  // sums that do not wait in turn
    std::size_t d = 0;
    for (; d + several * lanes <= query.dim; d += several * lanes)
        mix_dims<Floats, heads, several>(query, shares, values, out, d);
    for (; d < query.dim; d += lanes)
        mix_dims<Floats, heads, 1>(query, shares, values, out, d);
}

template <class Floats, std::size_t heads, class Element>
STILLROOM_INLINE void attend_heads(Tier tier,
                                   const OneQuery& query,
                                   const Element* q,
                                   const Element* keys,
                                   const Element* values,
                                   Element* out,
                                   float* scratch) {
    float* wide = scratch;
    for (std::size_t i = 0; i < heads * query.dim; i += kLanes<Floats>) {
        Floats x;
        load(x, q + i);
        store(wide + i, x);
    }
    float* scores = scratch + heads * query.dim;
    score_keys<Floats, heads>(query, wide, keys, scores);
    for (std::size_t head = 0; head < heads; head++)
        softmax_part(tier, scores + head * query.keys, 0, query.keys, query.keys, query.scale);
    mix_values<Floats, heads>(query, scores, values, out);
}

template <class Floats, class Element>
STILLROOM_INLINE void attend_one_body(Tier tier,
                                      const OneQuery& query,
                                      const Element* q,
                                      const Element* keys,
                                      const Element* values,
                                      Element* out,
                                      float* scratch) {
    std::size_t left = query.heads;
    while (left > 0) {
        std::size_t heads = std::min(left, kHeads);
        if (heads == 4)
            attend_heads<Floats, 4>(tier, query, q, keys, values, out, scratch);
        else if (heads == 3)
            attend_heads<Floats, 3>(tier, query, q, keys, values, out, scratch);
        else if (heads == 2)
            attend_heads<Floats, 2>(tier, query, q, keys, values, out, scratch);
        else
            attend_heads<Floats, 1>(tier, query, q, keys, values, out, scratch);
        q += heads * query.dim;
        out += heads * query.dim;
        left -= heads;
    }
}

STILLROOM_TIERS(one_query_floats,
                (Tier tier,
                 const OneQuery& query,
                 const float* q,
                 const float* keys,
                 const float* values,
                 float* out,
                 float* scratch),
                attend_one_body,
                (tier, query, q, keys, values, out, scratch))
STILLROOM_TIERS(one_query_halves,
                (Tier tier,
                 const OneQuery& query,
                 const Bf16* q,
                 const Bf16* keys,
                 const Bf16* values,
                 Bf16* out,
                 float* scratch),
                attend_one_body,
                (tier, query, q, keys, values, out, scratch))

}  // namespace

std::size_t scratch_of(const OneQuery& query) {
    return std::min(query.heads, kHeads) * (query.dim + query.keys);
}

void attend_one(Tier tier,
                const OneQuery& query,
                const float* q,
                const float* keys,
                const float* values,
                float* out,
                float* scratch) {
    one_query_floats_of(tier)(tier, query, q, keys, values, out, scratch);
}

void attend_one(Tier tier,
                const OneQuery& query,
                const Bf16* q,
                const Bf16* keys,
                const Bf16* values,
                Bf16* out,
                float* scratch) {
    one_query_halves_of(tier)(tier, query, q, keys, values, out, scratch);
}

void attend_one_plain(
    const OneQuery& query, const float* q, const float* keys, const float* values, float* out) {
    for (std::size_t head = 0; head < query.heads; head++, q += query.dim, out += query.dim) {
        std::vector<double> shares(query.keys);
        double sum = 0;
        for (std::size_t key = 0; key < query.keys; key++)
            for (std::size_t d = 0; d < query.dim; d++)
                shares[key] += double{q[d]} * keys[key * query.key_step + d] * query.scale;
        double most = *std::max_element(shares.begin(), shares.end());
        for (double& share : shares)
            sum += share = std::exp(share - most);
        for (std::size_t d = 0; d < query.dim; d++) {
            double mixed = 0;
            for (std::size_t key = 0; key < query.keys; key++)
                mixed += shares[key] / sum * values[key * query.key_step + d];
            out[d] = static_cast<float>(mixed);
        }
    }
}

}  // namespace stillroom::lm
