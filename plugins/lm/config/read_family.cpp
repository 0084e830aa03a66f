#include "engine/base/text.h"
#include "plugins/lm/config/config_keys.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/read_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

struct Name {
    std::string_view model_type, architecture;
    const FamilyTraits* traits = nullptr;
    const MultimodalClass* multimodal = nullptr;  ///< neither: later
};

std::vector<Name> all_names() {
    std::vector<Name> out;
    for (const FamilyTraits& traits : all_families())
        out.push_back({traits.model_type, traits.architecture, &traits});
    for (const MultimodalClass& one : multimodal_classes())
        out.push_back({one.model_type, one.architecture, nullptr, &one});
    for (const LaterFamily& later : later_families())
        out.push_back({later.model_type, later.architecture});
    return out;
}

std::string supported() {
    std::vector<std::string> names, towers;
    for (const Name& name : all_names())
        if (name.traits || name.multimodal)
            (name.traits ? names : towers)
                .push_back(fmt::format("{} ({})", name.architecture, name.model_type));
    return fmt::format("supported are {}; and the decoders of {}", join(names), join(towers));
}

const Name& find(const ConfigKeys& keys,
                 const ConfigValue* at,
                 std::string_view kind,
                 const std::string& name,
                 const std::vector<Name>& names,
                 std::string_view Name::*field) {
    auto found = std::find_if(names.begin(), names.end(), [&](const Name& known) {
        return !name.empty() && known.*field == name;
    });
    if (found != names.end() && (found->traits || found->multimodal))
        return *found;
    std::string_view why = found == names.end() ? "not supported" : "known, but not yet supported";
    throw keys
        .error(at, fmt::format("{} '{}' is {}", kind, shorten(escape_controls(name), 60), why))
        .hint(supported());
}

const FamilyTraits* find_text_type(std::string_view type) {
    for (std::span<const FamilyTraits> all : {tower_families(), all_families()})
        for (const FamilyTraits& traits : all)
            if (traits.model_type == type)
                return &traits;
    return nullptr;
}

/// The decoder's own model_type, of which a class may have several.
const FamilyTraits& read_text_type(const ConfigText& text, const MultimodalClass& multimodal) {
    const ConfigValue& nested = *text.find(decoder_path(text));
    ConfigKeys keys(text, nested);
    std::string type = keys.string("model_type").value_or(std::string(multimodal.text_type));
    if (const FamilyTraits* traits = find_text_type(type))
        return *traits;
    throw keys
        .error(keys.find("model_type"),
               fmt::format("the decoder of this {} is a '{}', which is not supported",
                           multimodal.architecture,
                           shorten(escape_controls(type), 60)))
        .hint(supported());
}

}  // namespace

ConfigPath decoder_path(const ConfigText& text) {
    const ConfigValue* nested = text.root().find("text_config");
    return nested && nested->is_map() ? ConfigPath{"text_config"} : ConfigPath{};
}

FoundFamily read_family(const ConfigText& text) {
    ConfigKeys keys(text, text.root());
    std::vector<Name> names = all_names();
    const Name* by_class = nullptr;
    if (const ConfigValue* list = keys.find("architectures")) {
        if (!list->is_list() || list->items.empty() ||
            list->items[0].kind != ConfigValue::Kind::string)
            throw keys.error(list, "architectures must be a list of one name").hint(supported());
        if (list->items.size() > 1)
            throw keys.error(
                list,
                fmt::format("architectures names {} classes: one is read", list->items.size()));
        const ConfigValue& item = list->items[0];
        by_class = &find(keys, &item, "architecture", item.string, names, &Name::architecture);
    }
    const Name* by_type = nullptr;
    if (std::optional<std::string> type = keys.string("model_type"))
        by_type =
            &find(keys, keys.find("model_type"), "model_type", *type, names, &Name::model_type);
    if (!by_class && !by_type)
        throw keys.missing("architectures").hint(supported());
    if (by_class && by_type && by_class != by_type)
        throw keys.error(keys.find("model_type"),
                         fmt::format("model_type is '{}', but the architecture {} is of '{}'",
                                     by_type->model_type,
                                     by_class->architecture,
                                     by_class->model_type));
    const Name& name = by_class ? *by_class : *by_type;
    bool nested = !decoder_path(text).empty();
    if (!name.multimodal) {
        if (nested)
            throw keys.error(text.root().find("text_config"),
                             fmt::format("{} has no text_config", name.architecture));
        return {name.traits, nullptr};
    }
    if (nested)
        return {&read_text_type(text, *name.multimodal), name.multimodal};
    if (!name.multimodal->flat)
        throw keys.missing("text_config");
    return {find_text_type(name.multimodal->text_type), name.multimodal};
}

}  // namespace stillroom::lm
