#include "plugins/lm/config/read_rope.h"

#include "engine/base/text.h"
#include "plugins/lm/config/limits.h"
#include "plugins/lm/config/rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <span>

namespace stillroom::lm {
namespace {

constexpr std::string_view kTypes[] = {"default", "linear", "dynamic", "llama3", "yarn"};

/// Of towers with positions in three dimensions, which text has alike.
constexpr std::string_view kMropeKeys[] = {"mrope_section", "mrope_interleaved"};

constexpr std::string_view kKnownKeys[] = {"rope_type",
                                           "type",
                                           "rope_theta",
                                           "partial_rotary_factor",
                                           "factor",
                                           "original_max_position_embeddings",
                                           "low_freq_factor",
                                           "high_freq_factor",
                                           "beta_fast",
                                           "beta_slow",
                                           "mscale",
                                           "mscale_all_dim",
                                           "attention_factor",
                                           "truncate",
                                           "finetuned"};

bool is_layer_type(std::string_view key) {
    return key == "full_attention" || key == "sliding_attention";
}

bool per_layer_type(const ConfigValue& map) {
    return std::any_of(map.members.begin(), map.members.end(), [](const auto& member) {
        return is_layer_type(member.key);
    });
}

class RopeReader {
public:
    RopeReader(const ConfigKeys& keys,
               const FamilyTraits& traits,
               std::int64_t head_dim,
               std::int64_t max_positions)
        : keys_(keys),
          traits_(traits),
          head_dim_(head_dim),
          max_positions_(max_positions) {}

    Ropes read() {
        // transformers 4's map; 5's, or its maps.
        const ConfigValue* scaling = keys_.map_at("rope_scaling");
        const ConfigValue* parameters = keys_.map_at("rope_parameters");
        if (scaling && per_layer_type(*scaling))
            throw keys_.error(scaling, "rope_scaling is one map for each type of layer")
                .hint("transformers reads those from rope_parameters");
        if (traits_.local_theta != 0)
            return two(scaling, parameters);
        if (parameters && per_layer_type(*parameters))
            throw keys_.error(
                parameters,
                fmt::format("rope_parameters holds a map for each type of layer: a {} turns all "
                            "layers alike",
                            traits_.model_type));
        Rope rope = resolve(scaling ? scaling : parameters, "rope_theta", traits_.theta, true);
        if (scaling && parameters)
            agree(rope, resolve(parameters, "rope_theta", traits_.theta, true), *parameters);
        return {rope, rope};
    }

private:
    /// Gemma 3: layers with a window turn by a base of their own, without scaling.
    Ropes two(const ConfigValue* scaling, const ConfigValue* parameters) {
        const ConfigValue *full = nullptr, *windowed = nullptr;
        if (parameters) {
            for (const ConfigValue::Member& member : parameters->members)
                if (!is_layer_type(member.key))
                    throw keys_.error(&member.value,
                                      fmt::format("'{}' stands outside of full_attention and "
                                                  "sliding_attention in rope_parameters, where "
                                                  "transformers does not read it",
                                                  shorten(escape_controls(member.key), 60)));
            ConfigKeys maps(keys_text(), *parameters);
            full = maps.map_at("full_attention");
            windowed = maps.map_at("sliding_attention");
        }
        Ropes out;
        out.full = resolve(scaling ? scaling : full, "rope_theta", traits_.theta, scaling);
        if (scaling && full)
            agree(out.full, resolve(full, "rope_theta", traits_.theta, false), *full);
        out.windowed = resolve(windowed, "rope_local_base_freq", traits_.local_theta, false);
        return out;
    }

    const ConfigText& keys_text() const { return keys_.text(); }

    void agree(const Rope& one, const Rope& other, const ConfigValue& at) const {
        if (!(one == other))
            throw keys_.error(&at, "rope_parameters and rope_scaling disagree")
                .hint("they are one thing in the spellings of transformers 5 and 4: keep one");
    }

    /// `flat`: of one map for all layers, where a top-level original length goes first.
    Rope resolve(const ConfigValue* map,
                 std::string_view theta_key,
                 double theta,
                 bool flat) const {
        Rope rope;
        ConfigValue none;
        ConfigKeys in(keys_text(), map ? *map : none);
        if (map)
            refuse_unknown(in);
        std::optional<double> inner = in.number("rope_theta", 0),
                              outer = keys_.number(theta_key, 0);
        if (inner && outer && *inner != *outer)
            throw keys_.error(
                keys_.find(theta_key),
                fmt::format(
                    "{} is {}, rope_theta in the map of RoPE is {}", theta_key, *outer, *inner));
        rope.theta = inner ? *inner : outer.value_or(theta);
        rope.rotary_dim = rotary_dim(in);
        if (map)
            read_scaling(rope, in, flat);
        return rope;
    }

    void refuse_unknown(const ConfigKeys& in) const {
        auto is_in = [](std::span<const std::string_view> known, const std::string& key) {
            return std::find(known.begin(), known.end(), key) != known.end();
        };
        for (const ConfigValue::Member& member : in.map().members)
            if (!is_in(kKnownKeys, member.key) && !(traits_.mrope && is_in(kMropeKeys, member.key)))
                throw in
                    .error(&member.value,
                           fmt::format("'{}' in the map of RoPE is not understood",
                                       shorten(escape_controls(member.key), 60)))
                    .hint("a part of RoPE that is left out gives other numbers; known are " +
                          joined(kKnownKeys));
    }

    template <class Words>
    static std::string joined(const Words& words) {
        std::vector<std::string> list(std::begin(words), std::end(words));
        return join(list);
    }

    std::int64_t rotary_dim(const ConfigKeys& in) const {
        std::optional<double> inner = in.number("partial_rotary_factor", 0);
        std::optional<double> outer = keys_.number("partial_rotary_factor", 0);
        double part = inner ? *inner : outer.value_or(traits_.partial_rotary);
        const ConfigValue* at =
            inner ? in.find("partial_rotary_factor") : keys_.find("partial_rotary_factor");
        if (part > 1)
            throw keys_.error(at,
                              fmt::format("partial_rotary_factor is {}: it is at most 1", part));
        if (part != 1 && !traits_.partial_rotary_key)
            throw keys_.error(at,
                              fmt::format("partial_rotary_factor is {}: a {} turns whole heads",
                                          part,
                                          traits_.model_type));
        std::int64_t dims = static_cast<std::int64_t>(static_cast<double>(head_dim_) * part);
        if (dims < 2 || dims % 2 != 0)
            throw keys_.error(at,
                              fmt::format("RoPE turns {} of {} dims of a head: they are pairs, at "
                                          "least one",
                                          dims,
                                          head_dim_));
        return dims;
    }

    std::string type_of(const ConfigKeys& in) const {
        std::optional<std::string> type = in.string("rope_type"), legacy = in.string("type");
        if (type && legacy && *type != *legacy)
            throw in.error(in.find("type"),
                           fmt::format("rope_type is '{}', type is '{}'",
                                       shorten(escape_controls(*type), 40),
                                       shorten(escape_controls(*legacy), 40)));
        return type ? *type : legacy.value_or("default");
    }

    void read_scaling(Rope& rope, const ConfigKeys& in, bool flat) const {
        std::string type = type_of(in);
        if (type == "default" || (type == "mrope" && traits_.mrope))
            return;
        if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes))
            throw in
                .error(in.find(in.find("rope_type") ? "rope_type" : "type"),
                       fmt::format("RoPE of type '{}' is not supported",
                                   shorten(escape_controls(type), 40)))
                .hint("supported are " + joined(kTypes));
        std::optional<double> factor = in.number("factor", 0);
        if (!factor && type != "yarn")
            throw in.missing("factor");
        rope.factor = factor.value_or(0);
        rope.original_length = original_length(in, flat);
        if (type == "linear") {
            rope.scaling = RopeScaling::linear;
            rope.original_length = 0;
        } else if (type == "dynamic") {
            rope.scaling = RopeScaling::dynamic;
            rope.original_length = max_positions_;
            if (rope.rotary_dim < 4)
                throw in.error(nullptr, "dynamic RoPE needs heads of at least 4 turning dims");
        } else if (type == "llama3") {
            read_llama3(rope, in);
        } else {
            read_yarn(rope, in, flat);
        }
    }

    std::int64_t original_length(const ConfigKeys& in, bool flat) const {
        constexpr std::string_view kKey = "original_max_position_embeddings";
        std::optional<std::int64_t> outer = keys_.integer(kKey, 1, kMostPositions);
        if (outer && flat)
            return *outer;
        std::optional<double> inner = in.number(kKey, 0);  // some files spell it 8192.0
        if (!inner)
            return max_positions_;
        if (*inner != std::floor(*inner) || *inner > static_cast<double>(kMostPositions))
            throw in.error(in.find(kKey), fmt::format("{} is {}: it is a length", kKey, *inner));
        return static_cast<std::int64_t>(*inner);
    }

    void read_llama3(Rope& rope, const ConfigKeys& in) const {
        rope.scaling = RopeScaling::llama3;
        std::optional<double> low = in.number("low_freq_factor", 0);
        std::optional<double> high = in.number("high_freq_factor", 0);
        if (!low || !high)
            throw in.missing(low ? "high_freq_factor" : "low_freq_factor");
        if (*high <= *low)
            throw in.error(in.find("high_freq_factor"),
                           fmt::format("high_freq_factor is {}: it must be over "
                                       "low_freq_factor, {}",
                                       *high,
                                       *low));
        rope.low_freq_factor = *low;
        rope.high_freq_factor = *high;
    }

    void read_yarn(Rope& rope, const ConfigKeys& in, bool flat) const {
        rope.scaling = RopeScaling::yarn;
        if (rope.theta <= 1)
            throw in.error(nullptr,
                           fmt::format("YaRN with rope_theta {}: it must be over 1", rope.theta));
        if (rope.factor == 0)
            rope.factor =
                static_cast<double>(max_positions_) / static_cast<double>(rope.original_length);
        auto given = [&](std::string_view key) { return in.number(key, -1e300).value_or(0); };
        // transformers takes a zero for an absent key.
        double fast = in.number_or("beta_fast", -1e-300, 0),
               slow = in.number_or("beta_slow", -1e-300, 0);
        rope.beta_fast = fast != 0 ? fast : 32;
        rope.beta_slow = slow != 0 ? slow : 1;
        rope.mscale = given("mscale");
        rope.mscale_all_dim = given("mscale_all_dim");
        rope.truncate = in.boolean("truncate").value_or(true);
        if (!rope.truncate && !flat)
            throw in.error(in.find("truncate"),
                           "truncate is false in a map of one type of layers, where transformers "
                           "does not read it");
        rope.attention_factor =
            in.number("attention_factor", 0)
                .value_or(yarn_attention_factor(rope.factor, rope.mscale, rope.mscale_all_dim));
        if (!std::isfinite(rope.attention_factor))
            throw in.error(nullptr, "the attention factor of YaRN is no number");
    }

    const ConfigKeys& keys_;
    const FamilyTraits& traits_;
    std::int64_t head_dim_, max_positions_;
};

}  // namespace

Ropes read_ropes(const ConfigKeys& keys,
                 const FamilyTraits& traits,
                 std::int64_t head_dim,
                 std::int64_t max_positions) {
    return RopeReader(keys, traits, head_dim, max_positions).read();
}

}  // namespace stillroom::lm
