#include "plugins/lm/config/loadable.h"

#include "engine/base/text.h"
#include "plugins/lm/config/families.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

/// The nearest at or below and above `value` that fits; up to twice `value`.
template <class Fits>
std::string nearest_two(std::int64_t value, Fits fits) {
    std::vector<std::string> out;
    for (std::int64_t low = value - 1; low > 0; --low) {
        if (fits(low)) {
            out.push_back(fmt::format("{}", low));
            break;
        }
    }
    for (std::int64_t high = value + 1; high <= 2 * value; ++high) {
        if (fits(high)) {
            out.push_back(fmt::format("{}", high));
            break;
        }
    }
    return join(out, "or");
}

Misfit uneven_groups(const Attention& attention) {
    std::int64_t heads = attention.heads, kv = attention.kv_heads;
    auto multiple = [kv](std::int64_t n) { return n % kv == 0; };
    return {"num_attention_heads",
            fmt::format("{} heads are no multiple of {} KV heads", heads, kv),
            fmt::format("nearest: {} heads", nearest_two(heads, multiple))};
}

Misfit broken_heads(const ModelConfig& model, const Attention& attention) {
    std::int64_t hidden = model.hidden, heads = attention.heads, kv = attention.kv_heads;
    std::string fitting =
        nearest_two(heads, [&](std::int64_t n) { return n % kv == 0 && hidden % n == 0; });
    std::string widths = nearest_two(hidden, [heads](std::int64_t h) { return h % heads == 0; });
    return {
        "num_attention_heads",
        fmt::format("hidden_size {} is no multiple of {} heads, and transformers refuses such "
                    "a {}",
                    hidden,
                    heads,
                    traits_of(model.family).model_type),
        fmt::format(
            "nearest: {}{}hidden_size {}", fitting, fitting.empty() ? "" : " heads, or ", widths)};
}

}  // namespace

bool is_uniform(const ModelConfig& model) {
    return std::all_of(model.layers.begin(), model.layers.end(), [&](const Layer& layer) {
        const Layer& first = model.layers.front();
        return layer.attention && layer.mlp && first.attention && first.mlp &&
               layer.attention->heads == first.attention->heads &&
               layer.attention->kv_heads == first.attention->kv_heads &&
               layer.attention->head_dim == first.attention->head_dim && *layer.mlp == *first.mlp;
    });
}

std::vector<Misfit> misfits(const ModelConfig& model) {
    std::vector<Misfit> out;
    std::vector<std::pair<std::int64_t, std::int64_t>> seen;
    for (const Layer& layer : model.layers) {
        if (!layer.attention)
            continue;
        std::pair shape(layer.attention->heads, layer.attention->kv_heads);
        if (std::find(seen.begin(), seen.end(), shape) != seen.end())
            continue;
        seen.push_back(shape);
        if (shape.first % shape.second != 0)
            out.push_back(uneven_groups(*layer.attention));
        else if (traits_of(model.family).whole_heads && model.hidden % shape.first != 0)
            out.push_back(broken_heads(model, *layer.attention));
    }
    return out;
}

}  // namespace stillroom::lm
