#include "engine/recipe/configuration.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/recipe/search_path.h"
#include "engine/recipe/site.h"
#include "engine/schema/defaults.h"
#include "engine/schema/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kSchemaFile = "config.schema.json";
constexpr std::string_view kSitesOwn[] = {"allow_env", "trust"};

/// A file that a package ships has all its lines commented out: it says nothing, which is allowed.
bool says_nothing(const std::string& text) {
    for (const std::string& line : split(text, '\n'))
        if (std::string_view words = trim(line); !words.empty() && words[0] != '#')
            return false;
    return true;
}

/// From the folder of its file; `~/` is the user's home.
fs::path absolute_path(const std::string& text, const fs::path& file) {
    if (text == "~" || text.starts_with("~/"))
        return (home_folder() / text.substr(std::min<std::size_t>(2, text.size())))
            .lexically_normal();
    return (file.parent_path() / text).lexically_normal();
}

class Reader {
public:
    Reader(Sources& sources, Diagnostics& diagnostics)
        : sources_(sources),
          diagnostics_(diagnostics) {}

    /// The checked map of a file, or null.
    NodePtr read(const fs::path& path) {
        std::error_code error;
        if (path.empty() || !fs::exists(path, error))
            return nullptr;
        std::string text;
        try {
            text = read_file(path, Limits().file_bytes);
        } catch (const Error& failure) {
            diagnostics_.error(code::kCannotRead, {}, failure.what());
            return nullptr;
        }
        if (says_nothing(text))
            return nullptr;
        const Source& source = sources_.add(path.string(), std::move(text));
        std::size_t before = diagnostics_.errors();
        NodePtr root = read_yaml(source, {}, diagnostics_).root;
        if (!root || diagnostics_.errors() != before || !has_schema())
            return nullptr;
        ValidateOptions options;
        options.typing = Typing::recipe;
        options.name = "the configuration";
        for (const Mistake& mistake : validate(*schema_, root, options))
            diagnostics_.add(diagnostic_of(mistake));
        if (diagnostics_.errors() != before)
            return nullptr;
        return typed(*schema_, root);
    }

    void refuse_sites_own(const Node& root) {
        for (std::string_view key : kSitesOwn)
            if (const Entry* entry = root.find(key))
                diagnostics_
                    .error(code::kSiteOnly,
                           entry->where,
                           fmt::format("'{}' counts in the site's configuration only", key))
                    .at_key(std::string(key))
                    .with_hint(key == "trust" ? "--trust PATH trusts it for one command"
                                              : "--allow-env NAME allows it for one command")
                    .exits(kExitPolicy);
    }

private:
    bool has_schema() {
        if (!schema_) {
            NodePtr document =
                read_document(sources_, data_folder() / "schemas" / kSchemaFile, {}, diagnostics_)
                    .root;
            schema_ = document ? compile(document, std::string(kSchemaFile), nullptr, diagnostics_)
                               : Schema();
        }
        return static_cast<bool>(*schema_);
    }

    Sources& sources_;
    Diagnostics& diagnostics_;
    std::optional<Schema> schema_;  // read for the first file that says something
};

/// What counts in both files; the later one wins.
void take_common(const Node& root, const fs::path& file, Configuration& configuration) {
    if (const Entry* entry = root.find("launch")) {
        configuration.launch = entry->value->text;
        configuration.launch_where = entry->value->where;
    }
    if (NodePtr store = root.get("store"))
        configuration.store = absolute_path(store->text, file);
}

}  // namespace

ConfigurationFiles configuration_files() {
    return {kSiteConfiguration, config_folder() / "config.yaml"};
}

Configuration read_configuration(Sources& sources,
                                 const ConfigurationFiles& files,
                                 Diagnostics& diagnostics) {
    Configuration configuration;
    Reader reader(sources, diagnostics);
    if (NodePtr user = reader.read(files.user)) {
        reader.refuse_sites_own(*user);
        take_common(*user, files.user, configuration);
    }
    if (NodePtr site = reader.read(files.site)) {
        take_common(*site, files.site, configuration);
        if (NodePtr names = site->get("allow_env"))
            for (const NodePtr& name : names->items)
                configuration.allow_env.push_back(name->text);
        if (NodePtr paths = site->get("trust"))
            for (const NodePtr& path : paths->items)
                configuration.trust.push_back(absolute_path(path->text, files.site));
    }
    return configuration;
}

bool is_offline(bool flag) {
    if (flag)
        return true;
    std::string value = environment("HF_HUB_OFFLINE");
    if (value.empty())
        value = environment("TRANSFORMERS_OFFLINE");
    std::transform(value.begin(), value.end(), value.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return value == "1" || value == "on" || value == "yes" || value == "true";
}

}  // namespace stillroom
