#include "plugins/lm/hub/hub_tree.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "plugins/lm/hub/hub_source.h"
#include "plugins/lm/hub/model_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kMostFiles = 200'000;
constexpr std::size_t kLongestTree = std::size_t{64} << 20;

bool is_hex(std::string_view text, std::size_t count) {
    return text.size() == count && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

std::string text_in(const Json& map, std::string_view key) {
    const Json* value = map.find(key);
    return value && !value->is_null() ? value->string() : "";
}

std::uint64_t size_in(const Json& map, std::string_view key) {
    std::int64_t size = map.at(key).integer();
    if (size < 0)
        throw Error({}, fmt::format("a size is {}, below 0", size)).exit_code(kExitBadInput);
    return static_cast<std::uint64_t>(size);
}

void check(const HubFile& file) {
    std::string fault = hub_path_fault(file.path);
    if (fault.empty() && !is_hex(file.blob_id, 40))
        fault = "its id is no SHA-1";
    if (fault.empty() && !file.sha256.empty() && !is_hex(file.sha256, 64))
        fault = "its digest is no SHA-256";
    if (!fault.empty())
        throw Error({}, fmt::format("the file '{}': {}", escape_controls(file.path), fault))
            .exit_code(kExitBadInput);
}

void sort_and_check(HubTree& tree) {
    if (tree.size() > kMostFiles)
        throw Error({}, fmt::format("{} files are over the limit of {}", tree.size(), kMostFiles))
            .exit_code(kExitBadInput);
    std::sort(tree.begin(), tree.end(), [](const HubFile& a, const HubFile& b) {
        return a.path < b.path;
    });
    for (std::size_t i = 0; i + 1 < tree.size(); ++i)
        if (tree[i].path == tree[i + 1].path)
            throw Error({}, fmt::format("'{}' is listed twice", escape_controls(tree[i].path)))
                .exit_code(kExitBadInput);
}

bool is_weight_file(std::string_view path) {
    return path.find('/') == path.npos && path.starts_with("model") &&
           path.ends_with(".safetensors");
}

}  // namespace

HubTree parse_kept_tree(std::string_view json) {
    Json root = Json::parse(json, kLongestTree);
    if (std::int64_t version = root.at("format_version").integer(); version != 1)
        throw Error({}, fmt::format("a tree of format {}, not 1", version))
            .exit_code(kExitBadInput);
    HubTree tree;
    for (const Json::Member& member : root.at("files").map()) {
        const Json& value = member.value;
        HubFile file{member.key,
                     size_in(value, "size"),
                     text_in(value, "blob_id"),
                     text_in(value, "lfs_sha256"),
                     text_in(value, "xet_hash")};
        check(file);
        tree.push_back(std::move(file));
    }
    sort_and_check(tree);
    return tree;
}

std::string kept_tree_text(const HubTree& tree) {
    JsonWriter out(1);
    out.begin_object();
    out.key("format_version");
    out.integer(1);
    out.key("files");
    out.begin_object();
    for (const HubFile& file : tree) {
        out.key(file.path);
        out.begin_object();
        out.key("size");
        out.integer(static_cast<std::int64_t>(file.size));
        out.key("blob_id");
        out.string(file.blob_id);
        if (!file.sha256.empty()) {
            out.key("lfs_sha256");
            out.string(file.sha256);
            out.key("lfs_size");
            out.integer(static_cast<std::int64_t>(file.size));
        }
        if (is_hex(file.xet_hash, 64)) {
            out.key("xet_hash");
            out.string(file.xet_hash);
        }
        out.end_object();
    }
    out.end_object();
    out.end_object();
    return out.take();
}

void add_listed_files(std::string_view json, HubTree& tree) try {
    Json page = Json::parse(json, kLongestTree);
    for (const Json& entry : page.list()) {
        if (entry.at("type").string() != "file")
            continue;
        HubFile file{entry.at("path").string(),
                     size_in(entry, "size"),
                     text_in(entry, "oid"),
                     "",
                     text_in(entry, "xetHash")};
        if (const Json* large = entry.find("lfs"); large && !large->is_null()) {
            file.sha256 = text_in(*large, "oid");
            file.size = size_in(*large, "size");
        }
        check(file);
        tree.push_back(std::move(file));
    }
    sort_and_check(tree);
} catch (Error& error) {
    error.note({}, "in a list of files from the hub").exit_code(kExitNetwork);
    throw;
}

HubTree select_model_files(const HubTree& tree, HubPart part, std::string_view told) {
    HubTree small, weights;
    bool pickled = false;
    for (const HubFile& file : tree) {
        if (is_small_model_file(file.path))
            small.push_back(file);
        else if (is_weight_file(file.path))
            weights.push_back(file);
        pickled = pickled || is_pickle(file.path);
    }
    // transformers reads the whole file where there are both.
    for (const HubFile& file : weights)
        if (file.path == "model.safetensors") {
            weights = {HubFile(file)};
            break;
        }
    if (weights.empty() && pickled)
        throw Error({},
                    fmt::format("{} has its weights as pickles only, which are never opened", told))
            .hint(
                "the hub's safetensors/convert space, or save_pretrained of transformers, makes "
                "safetensors of them")
            .exit_code(kExitPolicy);
    if (weights.empty())
        throw Error({}, fmt::format("{} has no model*.safetensors", told)).exit_code(kExitBadInput);
    if (part == HubPart::small_files)
        return small;
    std::stable_sort(weights.begin(), weights.end(), [](const HubFile& a, const HubFile& b) {
        return a.path < b.path;
    });
    small.insert(small.end(), weights.begin(), weights.end());
    return small;
}

HubTree select_files(const HubTree& tree, const std::function<bool(const HubFile&)>& wanted) {
    HubTree chosen;
    for (const HubFile& file : tree)
        if (!is_pickle(file.path) && !is_code(file.path) && wanted(file))
            chosen.push_back(file);
    std::stable_sort(chosen.begin(), chosen.end(), [](const HubFile& a, const HubFile& b) {
        return a.size < b.size;
    });
    return chosen;
}

}  // namespace stillroom::lm
