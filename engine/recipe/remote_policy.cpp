// What a remote recipe may not do (recipes.md 10.6). Its bytes are pinned, so it is what somebody
// read once; that somebody need not have known this machine. Variables are refused where they are
// read (resolvers.cpp); paths here, once all is resolved: a path can be put together from many
// texts, so its parts are not followed. What counts is where the whole leads.

#include "engine/recipe/remote_policy.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/text.h"
#include "engine/recipe/remote.h"
#include "engine/recipe/stage_parts.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

Span text_place(const Node& node) {
    return node.begins ? Span{node.begins, node.begins} : node.where;
}

/// Absolute, links followed as far as it exists.
fs::path real_path(std::string_view text) {
    if (text.starts_with("file:"))
        text.remove_prefix(5);
    std::error_code error;
    fs::path path = fs::weakly_canonical(fs::absolute(text, error), error);
    refuse_no_memory(error);
    if (path.filename().empty())
        path = path.parent_path();
    return path;
}

bool has_scheme(std::string_view text) {
    return text.starts_with("hf:") || text.starts_with("pypi:") || is_address(text);
}

class Paths {
public:
    Paths(const Recipe& recipe, const Sources& sources, Diagnostics& diagnostics)
        : sources_(sources),
          is_remote_(remote_places(sources)),
          diagnostics_(diagnostics) {
        for (const Choice& choice : recipe.defaults)
            if (!choice.file.empty() && is_remote_copy(choice.file))
                given_.insert(real_path(choice.file.parent_path().string()));
        collect(*recipe.root);
    }

    void hold(const Node& value, const std::string& key, bool output) {
        if (value.is_list())
            for (const NodePtr& item : value.items)
                hold(*item, key, output);
        if (value.kind != Kind::string || value.text.empty() || value.text == "-" ||
            value.is_missing() || has_scheme(value.text) || value.origin == Origin::schema_default)
            return;
        bool is_local_text = !value.written && !is_remote_(text_place(value));
        fs::path path = real_path(value.text);
        if (is_local_text || (output && is_inside(path, real_path("."))) ||
            std::any_of(given_.begin(), given_.end(), [&](const fs::path& folder) {
                return is_inside(path, folder);
            }))
            return;
        diagnostics_
            .error(code::kRemoteReads,
                   value.where,
                   fmt::format("a remote recipe may not {} '{}'",
                               output ? "write to" : "read",
                               escape_controls(shorten(value.text, 80))))
            .at_key(key)
            .with_hint(
                "hand the path over as a param, from a recipe of your own or the command "
                "line")
            .exits(kExitPolicy);
    }

private:
    /// Every text that somebody here wrote, as the path it would be: of one with `${` what stands
    /// before, up to its last '/'.
    void collect(const Node& node) {
        for (const Entry& entry : node.entries)
            collect(*entry.value);
        for (const NodePtr& item : node.items)
            collect(*item);
        if (node.kind != Kind::string || node.text.empty() ||
            node.origin == Origin::schema_default || is_remote_(text_place(node)))
            return;
        std::size_t reference = node.text.find("${");
        std::shared_ptr<Node> text = copy(node);
        if (reference != std::string::npos) {
            text->text.resize(reference);
            std::size_t slash = text->text.rfind('/');
            text->text.resize(slash == std::string::npos ? 0 : slash);
        }
        if (text->text.empty())
            return;
        given_.insert(real_path(anchored(*text, sources_)));
        given_.insert(
            real_path(text->text));  // as an output, which belongs to the working directory
    }

    const Sources& sources_;
    std::function<bool(Span)> is_remote_;
    Diagnostics& diagnostics_;
    std::set<fs::path> given_;
};

constexpr std::string_view kDecisive[] = {"BASH_ENV",
                                          "CUDA_INJECTION64_PATH",
                                          "ENV",
                                          "GCONV_PATH",
                                          "GLIBC_TUNABLES",
                                          "HF_ENDPOINT",
                                          "HF_TOKEN_PATH",
                                          "LOCPATH",
                                          "NCCL_NET_PLUGIN",
                                          "NCCL_PROFILER_PLUGIN",
                                          "NCCL_TUNER_PLUGIN",
                                          "NLSPATH",
                                          "PATH",
                                          "SSL_CERT_DIR",
                                          "SSL_CERT_FILE"};
constexpr std::string_view kDecisiveBeginnings[] = {
    "LD_", "OMPI_", "OPENSSL_", "PIP_", "PMIX_", "PRTE_", "PYTHON", "STILLROOM_"};

bool is_decisive(std::string_view name) {
    return std::find(std::begin(kDecisive), std::end(kDecisive), name) != std::end(kDecisive) ||
           std::any_of(std::begin(kDecisiveBeginnings),
                       std::end(kDecisiveBeginnings),
                       [&](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace

bool has_remote_part(const Recipe& recipe) {
    if (is_remote_copy(recipe.file))
        return true;
    return std::any_of(recipe.defaults.begin(), recipe.defaults.end(), [](const Choice& choice) {
        return !choice.file.empty() && is_remote_copy(choice.file);
    });
}

void refuse_remote_paths(const Recipe& recipe,
                         const std::vector<CheckedStage>& stages,
                         const Sources& sources,
                         Diagnostics& diagnostics) {
    Paths paths(recipe, sources, diagnostics);
    for (const CheckedStage& stage : stages)
        if (stage.type && stage.settings)
            visit_paths(*stage.settings,
                        *stage.type->document,
                        "",
                        [&](const std::string& key, const Node& value, bool output) {
                            paths.hold(value, "stages." + stage.name + "." + key, output);
                        });
}

void refuse_variables(const Node& env,
                      const std::function<bool(Span)>& is_remote,
                      Diagnostics& diagnostics) {
    for (const Entry& entry : env.entries) {
        if (is_remote(entry.where))
            diagnostics
                .error(code::kRemoteReads,
                       entry.where,
                       fmt::format("a remote recipe may not set the variable '{}'", entry.key))
                .with_hint("set it where you start stillroom")
                .exits(kExitPolicy);
        else if (is_decisive(entry.key))
            diagnostics
                .error(code::kUntrusted,
                       entry.where,
                       fmt::format("a recipe may not set the variable '{}', which decides what "
                                   "code runs or whom credentials reach",
                                   entry.key))
                .with_hint("set it where you start stillroom")
                .exits(kExitPolicy);
    }
}

}  // namespace stillroom
