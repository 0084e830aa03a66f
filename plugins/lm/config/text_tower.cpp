#include "plugins/lm/config/text_tower.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/config/express.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/read_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

std::string spelled(const ConfigText& text, const ConfigValue& value) {
    return text.text().substr(value.begin, value.end - value.begin);
}

/// A map out of the middle of a text, its lines moved left by as much as its last one stands in.
std::string moved_left(const ConfigText& text, const ConfigValue& map) {
    std::string own = spelled(text, map), out;
    std::size_t last = own.rfind('\n');
    if (last == std::string::npos)
        return own;
    std::size_t indent = own.find_first_not_of(" \t", last + 1) - last - 1;
    for (std::size_t at = 0; at < own.size();) {
        std::size_t end = std::min(own.find('\n', at), own.size() - 1) + 1;
        std::size_t blanks = at == 0 ? 0 : own.find_first_not_of(" \t", at) - at;
        std::size_t skipped = std::min(blanks, indent);
        out.append(own, at + skipped, end - at - skipped);
        at = end;
    }
    return out + "\n";
}

class Tower {
public:
    Tower(const ConfigText& text, const ModelConfig& model, const FoundFamily& family)
        : whole_(text),
          model_(model),
          found_(*family.traits),
          plain_(traits_of(family.traits->family)),
          out_(ConfigText::parse(moved_left(text, *text.find(decoder_path(text))), text.name())) {}

    ConfigText plain() {
        for (std::string_view key : {"vision_config",
                                     "vision_start_token_id",
                                     "vision_end_token_id",
                                     "vision_token_id",
                                     "image_token_id",
                                     "video_token_id"})
            out_.remove(path(key));  // of a file with the decoder's keys at the top
        set("architectures", fmt::format("[{}]", json_quoted(plain_.architecture)));
        set("model_type", json_quoted(plain_.model_type));
        take_from_around();
        say_shapes();
        if (&found_ != &plain_)
            say_assumed();
        for (std::string_view key : {"rope_scaling", "rope_parameters"})
            drop_mrope(key);
        return std::move(out_);
    }

private:
    static ConfigPath path(std::string_view key) { return {std::string(key)}; }
    static ConfigPath path(std::string_view key, std::string_view inner) {
        return {std::string(key), std::string(inner)};
    }

    bool says(std::string_view key) const {
        const ConfigValue* value = out_.root().find(key);
        return value && !value->is_null();
    }

    void set(std::string_view key, std::string_view json) { out_.set(path(key), json); }
    void set_absent(std::string_view key, std::string_view json) {
        if (!says(key))
            set(key, json);
    }
    void set_absent(std::string_view key, std::int64_t value) {
        set_absent(key, fmt::format("{}", value));
    }

    void take_from_around() {
        for (std::string_view key :
             {"bos_token_id", "eos_token_id", "pad_token_id", "transformers_version"})
            if (const ConfigValue* value = whole_.root().find(key); value && !value->is_null())
                set_absent(key, spelled(whole_, *value));
        if (!says("dtype") && !says("torch_dtype") && !model_.dtype.empty())
            set(whole_.root().find("dtype") ? "dtype" : "torch_dtype", json_quoted(model_.dtype));
        set("tie_word_embeddings", model_.tied ? "true" : "false");
    }

    /// A nested config leaves out what its class assumes; a plain one has always said it.
    void say_shapes() {
        const Attention& attention = *model_.layers.front().attention;
        set_absent("vocab_size", model_.vocab);
        set_absent("num_hidden_layers", std::ssize(model_.layers));
        set_absent("num_attention_heads", attention.heads);
        set_absent("num_key_value_heads", attention.kv_heads);
        set_absent("intermediate_size", model_.layers.front().mlp->width);
        if (plain_.head_dim_key)
            set_absent("head_dim", attention.head_dim);
    }

    /// The class of a tower assumes other numbers than that of the decoder alone.
    void say_assumed() {
        set_absent(plain_.eps_key, python_number(model_.norm_eps));
        set_absent("max_position_embeddings", model_.max_positions);
        if (found_.windows == Windows::upper)
            set_absent("max_window_layers", found_.max_window_layers);
        if (!out_.find(path("rope_parameters", "rope_theta")) &&
            !out_.find(path("rope_scaling", "rope_theta")))
            set_absent("rope_theta", python_number(model_.layers.front().attention->rope.theta));
    }

    /// Text has the same position in each of the dimensions, so it turns as by RoPE alone.
    void drop_mrope(std::string_view key) {
        const ConfigValue* map = out_.root().find(key);
        if (!map || !map->is_map())
            return;
        for (std::string_view inner : {"mrope_section", "mrope_interleaved"})
            out_.remove(path(key, inner));
        for (std::string_view inner : {"type", "rope_type"})
            if (const ConfigValue* type = out_.find(path(key, inner));
                type && type->string == "mrope")
                out_.set(path(key, inner), "\"default\"");
        const auto& members = out_.root().find(key)->members;
        if (key == "rope_scaling" && std::all_of(members.begin(), members.end(), [](auto& one) {
                return one.value.string == "default";
            }))
            out_.remove(path(key));
    }

    const ConfigText& whole_;
    const ModelConfig& model_;
    const FamilyTraits &found_, &plain_;
    ConfigText out_;
};

}  // namespace

std::optional<ConfigText> text_tower(const ConfigText& text, const ModelConfig& model) {
    FoundFamily family = read_family(text);
    if (!family.multimodal)
        return {};
    ConfigText out = Tower(text, model, family).plain();
    try {
        require_same(model, read_model(out));
    } catch (const Error& error) {
        throw Error(text.position(text.root()),
                    fmt::format("the decoder of this {} is no {}: {}",
                                family.multimodal->architecture,
                                traits_of(model.family).architecture,
                                error.what()))
            .exit_code(kExitBadInput);
    }
    return out;
}

}  // namespace stillroom::lm
