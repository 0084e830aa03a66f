#include "engine/plan/key.h"
#include "engine/schema/catalog.h"
#include "engine/schema/marks.h"

#include <filesystem>
#include <functional>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

bool has_scheme(std::string_view text) {
    for (std::string_view scheme : {"hf:", "pypi:", "https:", "http:"})
        if (text.starts_with(scheme))
            return true;
    return false;
}

/// Every value of the tree that has something said of it, with its dotted path.
void visit(const NodePtr& value,
           const Marks& marks,
           const std::string& path,
           const std::function<void(const std::string&, const Node&, const Marks&)>& each) {
    each(path, *value, marks);
    for (const Entry& entry : value->entries)
        if (const Marks* inner = marks.child(entry.key))
            visit(entry.value, *inner, path_below(path, entry.key), each);
    for (std::size_t i = 0; i < value->items.size(); ++i)
        if (const Marks* inner = marks.child(std::to_string(i)))
            visit(value->items[i], *inner, path_below(path, std::to_string(i)), each);
}

std::string_view without_file(std::string_view text) {
    return text.starts_with("file:") ? text.substr(5) : text;
}

std::vector<OutsidePath> paths_with(const CheckedStage& stage, bool Marks::*kind) {
    std::vector<OutsidePath> out;
    Marks marks = marks_of(stage.type->settings, stage.settings);
    visit(stage.settings,
          marks,
          "",
          [&](const std::string& path, const Node& value, const Marks& said) {
              if (!(said.*kind) || value.kind != Kind::string || value.text.empty())
                  return;
              bool local = !has_scheme(value.text) && value.text != "-";
              std::string text(local ? without_file(value.text) : std::string_view(value.text));
              out.push_back({path, std::move(text), local, value.where});
          });
    return out;
}

}  // namespace

std::string path_below(const std::string& path, std::string_view key) {
    std::string out = path.empty() ? path : path + ".";
    for (char c : key) {
        if (c == '.' || c == '\\')
            out += '\\';
        out += c;
    }
    return out;
}

std::vector<OutsidePath> outside_paths(const CheckedStage& stage) {
    return paths_with(stage, &Marks::input);
}

std::string binding_id_of(const CheckedStage& stage, const std::string& record) {
    std::string text = record;
    for (const OutsidePath& path : outside_paths(stage))
        if (path.local)
            text += "\n" + fs::absolute(path.text).lexically_normal().string();
    return key_of(text);
}

std::vector<OutsidePath> written_paths(const CheckedStage& stage) {
    std::vector<OutsidePath> out = paths_with(stage, &Marks::output);
    for (OutsidePath& path : out)
        path.text = fs::absolute(path.text).lexically_normal().string();
    return out;
}

}  // namespace stillroom
