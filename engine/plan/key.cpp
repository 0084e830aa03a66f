#include "engine/plan/key.h"

#include "engine/base/sha256.h"
#include "engine/document/canonical.h"
#include "engine/schema/catalog.h"
#include "engine/schema/marks.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

NodePtr integer(int value) {
    std::shared_ptr<Node> node = make_string(std::to_string(value));
    node->kind = Kind::integer;
    node->style = Style::plain;
    return node;
}

NodePtr text_map(const std::map<std::string, std::string>& values) {
    std::shared_ptr<Node> out = make_map();
    for (const auto& [name, text] : values)
        out->entries.push_back({name, {}, make_string(text)});
    return out;
}

NodePtr input_map(const std::map<std::string, std::vector<std::string>>& inputs) {
    std::shared_ptr<Node> out = make_map();
    for (const auto& [port, digests] : inputs) {
        std::shared_ptr<Node> list = make_list();
        for (const std::string& digest : digests)
            list->items.push_back(make_string(digest));
        out->entries.push_back({port, {}, list});
    }
    return out;
}

/// The settings less what has no influence, and less the paths whose contents are known. An item of
/// a list that is left out leaves its place.
class Remaining {
public:
    explicit Remaining(const KeyParts& parts) : parts_(parts) {}

    NodePtr of(const NodePtr& value, const Marks* marks, const std::string& path) const {
        if (!marks)
            return value;
        std::shared_ptr<Node> out = copy(*value);
        std::erase_if(out->entries, [&](const Entry& entry) {
            return left_out(marks->child(entry.key), path_below(path, entry.key));
        });
        for (Entry& entry : out->entries)
            entry.value = of(entry.value, marks->child(entry.key), path_below(path, entry.key));
        for (std::size_t i = 0; i < out->items.size(); ++i) {
            std::string index = std::to_string(i);
            std::string below = path_below(path, index);
            const Marks* inner = marks->child(index);
            out->items[i] =
                left_out(inner, below) ? std::make_shared<Node>() : of(out->items[i], inner, below);
        }
        return out;
    }

private:
    bool left_out(const Marks* marks, const std::string& path) const {
        if (!marks)
            return false;
        return marks->ignored || marks->secret || marks->output ||
               (marks->input && parts_.outside.contains(path));
    }

    const KeyParts& parts_;
};

/// Names and values, every value as text; of secrets the names.
NodePtr environment_of(const Node& engine) {
    std::shared_ptr<Node> out = make_map();
    NodePtr env = engine.get("env");
    if (!env)
        return out;
    for (const Entry& entry : env->entries) {
        NodePtr value =
            entry.value->secret ? std::make_shared<Node>() : make_string(entry.value->text);
        out->entries.push_back({entry.key, {}, value});
    }
    return out;
}

/// As written, without the number of a device: which one it is does not matter.
std::string device_of(const Node& engine) {
    NodePtr device = engine.get("device");
    std::string text = device ? device->text : "auto";
    return text.substr(0, text.find(':'));
}

}  // namespace

void add_reads(KeyParts& parts, const std::vector<FileRecord>& files) {
    parts.reads.clear();
    for (const FileRecord& file : files) {
        std::string name = std::filesystem::path(file.path).filename().string();
        // Files of one name from several folders: told apart by their order.
        std::string free = name;
        for (int next = 2; parts.reads.contains(free) && parts.reads.at(free) != file.digest;
             ++next)
            free = fmt::format("{}#{}", name, next);
        parts.reads[free] = file.digest;
    }
}

std::string key_record(const CheckedStage& stage, const KeyParts& parts) {
    Marks marks = marks_of(stage.type->settings, stage.settings);
    static const NodePtr kNoKeys = make_map();
    const Node& engine = stage.engine ? *stage.engine : *kNoKeys;
    std::shared_ptr<Node> record = make_map();
    auto put = [&](const char* name, NodePtr value) {
        record->entries.push_back({name, {}, std::move(value)});
    };
    put("format", integer(kKeyFormat));
    put("use", make_string(stage.use));
    put("version", integer(stage.type->version));
    put("settings", Remaining(parts).of(stage.settings, &marks, ""));
    put("inputs", input_map(parts.inputs));
    put("outside", text_map(parts.outside));
    put("reads", text_map(parts.reads));
    put("env", environment_of(engine));
    put("device", make_string(device_of(engine)));
    if (!parts.plugin_build.empty())
        put("plugin", make_string(parts.plugin_build));
    if (!parts.nonce.empty())
        put("nonce", make_string(parts.nonce));
    return canonical_json(*record);
}

std::string key_of(const std::string& record) {
    return sha256_hex(record);
}

}  // namespace stillroom
