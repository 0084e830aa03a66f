#include "plugins/lm/weights/axis.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace {

struct AxisNames {
    std::string_view name, key;
};

constexpr AxisNames kNames[] = {
    {"vocab", "vocab_size"},
    {"hidden", "hidden_size"},
    {"ffn", "intermediate_size"},
    {"heads", "num_attention_heads"},
    {"kv_heads", "num_key_value_heads"},
    {"head_dim", "head_dim"},
};

template <class Spell>
std::string spelled(const Dim& dim, Spell spell) {
    std::string out;
    for (const Segment& segment : dim.segments) {
        out += out.empty() ? "" : " + ";
        for (std::size_t i = 0; i < segment.size(); ++i)
            out += (i == 0 ? "" : " x ") + spell(segment[i]);
    }
    return out;
}

}  // namespace

std::string_view name_of(Axis axis) {
    return kNames[static_cast<int>(axis)].name;
}

std::string_view config_key(Axis axis) {
    return kNames[static_cast<int>(axis)].key;
}

std::int64_t size_of(const Segment& segment) {
    std::int64_t size = 1;
    for (const AxisSize& part : segment)
        size *= part.size;
    return size;
}

std::int64_t Dim::size() const {
    std::int64_t size = 0;
    for (const Segment& segment : segments)
        size += size_of(segment);
    return size;
}

std::string to_string(const Dim& dim) {
    return spelled(
        dim, [](AxisSize part) { return fmt::format("{} {}", name_of(part.axis), part.size); });
}

std::string config_keys(const Dim& dim) {
    return spelled(dim, [](AxisSize part) { return std::string(config_key(part.axis)); });
}

}  // namespace stillroom::lm
