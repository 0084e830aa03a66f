#include "plugins/checkpoint/lineage.h"

#include "engine/base/error.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "plugins/lm/hub/hub_source.h"

#include <algorithm>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongest = 200;

bool has_scheme(std::string_view text) {
    return text.starts_with("hf:") || text.starts_with("pypi:");
}

std::string told(const Json& value) {
    if (value.is_list()) {
        std::string out;
        for (const Json& item : value.list())
            out += (out.empty() ? "[" : ", ") + told(item);
        return shorten(out.empty() ? "[]" : out + "]", kLongest);
    }
    if (value.is_map()) {
        std::string out;
        for (const Json::Member& member : value.map())
            out += (out.empty() ? "{" : ", ") + member.key + ": " + told(member.value);
        return shorten(out.empty() ? "{}" : out + "}", kLongest);
    }
    std::string text = value.text();
    if (value.is_string() && text.find('/') != text.npos && !has_scheme(text)) {
        fs::path path = fs::path(text).lexically_normal();
        text = (path.has_filename() ? path : path.parent_path()).filename().string();
    }
    return shorten(text, kLongest);
}

std::string base_of(const Json& settings) {
    const Json* source = settings.find("source");
    if (!source || !source->is_string() || !source->string().starts_with("hf:"))
        return {};
    try {
        return lm::parse_hub_source(source->string()).repo;
    } catch (const Error&) {
        return {};
    }
}

}  // namespace

Lineage lineage_of(std::string_view recipe) {
    Lineage out;
    const Json root = Json::parse(recipe);
    for (const Json& stage : root.list()) {
        Step step{stage.at("name").string(), stage.at("use").string(), {}, {}};
        for (const Json& input : stage.at("inputs").list())
            step.inputs.push_back(input.string());
        for (const Json::Member& setting : stage.at("settings").map())
            step.settings.emplace_back(setting.key, told(setting.value));
        std::string base = step.use == "checkpoint.load" ? base_of(stage.at("settings")) : "";
        if (!base.empty() && std::find(out.base.begin(), out.base.end(), base) == out.base.end())
            out.base.push_back(std::move(base));
        out.steps.push_back(std::move(step));
    }
    return out;
}

std::string hub_name_of(const fs::path& folder) {
    for (fs::path at = folder; at.has_relative_path(); at = at.parent_path()) {
        std::string name = at.filename().string();
        constexpr std::string_view kModels = "models--";
        if (!name.starts_with(kModels))
            continue;
        name = name.substr(kModels.size());
        std::size_t middle = name.find("--");
        return middle == name.npos ? name : name.substr(0, middle) + "/" + name.substr(middle + 2);
    }
    return {};
}

}  // namespace stillroom::checkpoint
