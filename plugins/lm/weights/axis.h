#pragma once

#include "plugins/lm/weights/tensor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// What an index of a tensor counts. Later families bring experts, expert_ffn, latent, state: an
/// axis is a name and a config key, nothing here works differently for them.
enum class Axis : std::uint8_t { vocab, hidden, ffn, heads, kv_heads, head_dim };

STILLROOM_API std::string_view name_of(Axis axis);     ///< "kv_heads"
STILLROOM_API std::string_view config_key(Axis axis);  ///< "num_key_value_heads"

struct AxisSize {
    Axis axis;
    std::int64_t size;

    bool operator==(const AxisSize&) const = default;
};

/// A product of axes, the slowest first: rows of q_proj are heads x head_dim.
using Segment = std::vector<AxisSize>;

/// One dimension of a tensor: its segments, one after the other. Only fused tensors (a qkv, a Mamba
/// projection) have more than one.
struct Dim {
    std::vector<Segment> segments;

    std::int64_t size() const;
    bool operator==(const Dim&) const = default;
};

STILLROOM_API std::int64_t size_of(const Segment& segment);
STILLROOM_API std::string to_string(const Dim& dim);    ///< "heads 32 x head_dim 128"
STILLROOM_API std::string config_keys(const Dim& dim);  ///< "num_attention_heads x head_dim"

}  // namespace stillroom::lm
