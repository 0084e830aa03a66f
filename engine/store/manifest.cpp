#include "engine/store/manifest.h"

#include "engine/base/json.h"
#include "engine/base/sha256.h"
#include "engine/document/scalar.h"
#include "engine/store/fields.h"

#include <fmt/format.h>

#include <set>

namespace stillroom {
namespace {

constexpr std::int64_t kFormat = 1;

void write_texts(JsonWriter& out,
                 std::string_view key,
                 const std::map<std::string, std::string>& texts) {
    out.key(key);
    out.begin_object();
    for (const auto& [name, text] : texts)
        out.key(name), out.string(text);
    out.end_object();
}

std::map<std::string, std::string> texts_field(const Node& map, std::string_view key) {
    std::map<std::string, std::string> texts;
    for (const Entry& entry : field(map, key, Kind::map).entries) {
        if (entry.value->kind != Kind::string)
            throw Unreadable{fmt::format("'{}' holds something that is no text", key)};
        texts.emplace(entry.key, entry.value->text);
    }
    return texts;
}

StoredOutput read_output(const Node& node) {
    StoredOutput output;
    output.name = text_field(node, "name");
    if (!is_inside(output.name) || output.name.find('/') != std::string::npos ||
        output.name == "manifest.json")
        throw Unreadable{fmt::format("'{}' is no name of an output", output.name)};
    output.type = text_field(node, "type");
    output.digest = digest_field(node, "digest");
    std::set<std::string_view> seen;
    for (const NodePtr& item : field(node, "files", Kind::list).items) {
        if (!item->is_map())
            throw Unreadable{"'files' holds something that is no object"};
        FileRecord file;
        file.path = text_field(*item, "path");
        if (!is_inside(file.path))
            throw Unreadable{fmt::format("the path '{}' leaves its output", file.path)};
        file.size = count_field(*item, "size");
        file.digest = digest_field(*item, "digest");
        if (const NodePtr& link = item->get("link"); link && boolean_value(*link))
            output.links.insert(file.path);
        output.files.push_back(std::move(file));
    }
    for (const FileRecord& file : output.files)
        if (!seen.insert(file.path).second)
            throw Unreadable{fmt::format("'{}' is listed twice", file.path)};
    if (content_digest(output.files) != output.digest)
        throw Unreadable{fmt::format("the digest of '{}' is not that of its files", output.name)};
    return output;
}

}  // namespace

std::string manifest_text(const Manifest& manifest) {
    JsonWriter out(1);
    out.begin_object();
    out.key("format"), out.integer(kFormat);
    out.key("key"), out.string(manifest.key);
    out.key("stage"), out.string(manifest.stage);
    out.key("use"), out.string(manifest.use);
    out.key("record"), out.string(manifest.record);
    out.key("created"), out.string(manifest.created);
    out.key("seconds"), out.number(manifest.seconds);
    out.key("engine"), out.string(manifest.engine);
    out.key("plugin"), out.string(manifest.plugin);
    out.key("build"), out.string(manifest.build);
    out.key("machine"), out.string(manifest.machine);
    out.key("threads"), out.integer(manifest.threads);
    write_texts(out, "decided", manifest.decided);
    out.key("outputs");
    out.begin_array();
    for (const StoredOutput& output : manifest.outputs) {
        out.begin_object();
        out.key("name"), out.string(output.name);
        out.key("type"), out.string(output.type);
        out.key("digest"), out.string(output.digest);
        out.key("files");
        out.begin_array();
        for (const FileRecord& file : output.files) {
            out.begin_object();
            out.key("path"), out.string(file.path);
            out.key("size"), out.integer(static_cast<std::int64_t>(file.size));
            out.key("digest"), out.string(file.digest);
            if (output.links.contains(file.path))
                out.key("link"), out.boolean(true);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    }
    out.end_array();
    write_texts(out, "written", manifest.written);
    out.key("failed"), out.string(manifest.failed);
    if (!manifest.text.empty())
        out.key("text"), out.string(manifest.text);
    out.end_object();
    return out.take() + "\n";
}

Manifest parse_manifest(std::string text, std::string_view key) {
    NodePtr root = parse_store_text(std::move(text));
    if (count_field(*root, "format") != kFormat)
        throw Unreadable{"it is of a format that this stillroom does not know"};
    Manifest manifest;
    manifest.key = text_field(*root, "key");
    if (manifest.key != key)
        throw Unreadable{fmt::format("it is that of '{}'", manifest.key)};
    manifest.record = text_field(*root, "record");
    if (sha256_hex(manifest.record) != key)
        throw Unreadable{"its record is not that of its key"};
    manifest.stage = text_field(*root, "stage");
    manifest.use = text_field(*root, "use");
    manifest.created = text_field(*root, "created");
    manifest.seconds = number_field(*root, "seconds");
    manifest.engine = text_field(*root, "engine");
    manifest.plugin = text_field(*root, "plugin");
    manifest.build = text_field(*root, "build");
    manifest.machine = text_field(*root, "machine");
    manifest.threads =
        static_cast<int>(std::min<std::uint64_t>(count_field(*root, "threads"), 1 << 20));
    manifest.decided = texts_field(*root, "decided");
    std::set<std::string> names;
    for (const NodePtr& item : field(*root, "outputs", Kind::list).items) {
        if (!item->is_map())
            throw Unreadable{"'outputs' holds something that is no object"};
        manifest.outputs.push_back(read_output(*item));
        if (!names.insert(manifest.outputs.back().name).second)
            throw Unreadable{fmt::format("output '{}' is listed twice", *names.rbegin())};
    }
    manifest.written = texts_field(*root, "written");
    manifest.failed = text_field(*root, "failed");
    if (root->get("text"))
        manifest.text = text_field(*root, "text");
    return manifest;
}

}  // namespace stillroom
