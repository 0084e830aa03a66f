#pragma once

#include "plugins/lm/config/model_config.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::prune {

/// What may be cut of a dense decoder. Later families bring experts and Mamba heads: a name, a
/// field of Shape, its choices and its order; nothing else knows how many there are.
enum class Hparam : std::uint8_t { num_layers, hidden_size, ffn_hidden_size, num_attention_heads };

inline constexpr Hparam kHparams[] = {
    Hparam::num_layers, Hparam::hidden_size, Hparam::ffn_hidden_size, Hparam::num_attention_heads};

std::string_view name_of(Hparam hparam);
std::optional<Hparam> hparam_named(std::string_view name);

/// The sizes of a decoder whose layers are all alike.
struct Shape {
    std::int64_t layers = 0, hidden = 0, ffn = 0, heads = 0, kv_heads = 0;

    std::int64_t& of(Hparam hparam);
    std::int64_t of(Hparam hparam) const { return const_cast<Shape&>(*this).of(hparam); }
    bool same_width(const Shape& other) const;
    bool operator==(const Shape&) const = default;
};

Shape shape_of(const lm::ModelConfig& model);

/// The model in another shape, with these layers of it.
lm::ModelConfig shaped(const lm::ModelConfig& model,
                       const Shape& shape,
                       std::span<const std::int64_t> layers);

/// The first layers, where nobody knows yet which will stay: in all that is counted they are alike.
lm::ModelConfig shaped(const lm::ModelConfig& model, const Shape& shape);

/// "30 layers, hidden 3584, ffn 11776, 32 heads"
std::string text_of(const Shape& shape);

}  // namespace stillroom::prune
