#include "engine/recipe/unused.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stillroom {
namespace {

/// Every dotted name inside the `${...}` of a tree, those that are no paths too: a name too many
/// hides a warning, a name too few would raise a wrong one.
class Names {
public:
    void collect(const Node& node) {
        for (const NodePtr& item : node.items)
            collect(*item);
        for (const Entry& entry : node.entries)
            collect(*entry.value);
        if (node.kind == Kind::string && node.text.find("${") != std::string::npos)
            collect_text(node.text);
    }

    bool anything() const { return anything_; }

    /// True if the value at the path, something around it or something in it is read.
    bool reads(const std::string& path) const {
        std::string_view around = path;
        for (;;) {
            if (names_.count(around) != 0)
                return true;
            std::size_t dot = around.rfind('.');
            if (dot == std::string_view::npos)
                break;
            around = around.substr(0, dot);
        }
        auto inside = names_.lower_bound(path + ".");
        if (inside != names_.end() && inside->starts_with(path + "."))
            return true;
        return relative_.count(path.substr(path.rfind('.') + 1)) != 0;
    }

private:
    static bool is_part(char c) {
        auto byte = static_cast<unsigned char>(c);
        return std::isalnum(byte) != 0 || c == '_' || c == '.' || c == '-' || c == '$' ||
               byte >= 0x80;
    }

    void collect_text(const std::string& text) {
        std::size_t start = text.find("${");
        // `${a.${b}}` and `${${k}}` may read any key.
        if (text.find("${", start + 2) != std::string::npos && nested(text))
            anything_ = true;
        std::string name;
        for (std::size_t i = start + 2; i <= text.size(); ++i) {
            char c = i < text.size() ? text[i] : '}';
            if (c == '[' || c == ']') {
                if (!name.empty() && name.back() != '.' && c == '[')
                    name.push_back('.');
            } else if (is_part(c)) {
                name.push_back(c);
            } else if (!name.empty()) {
                take(std::move(name));
                name.clear();
            }
        }
    }

    static bool nested(const std::string& text) {
        int depth = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text.compare(i, 2, "${") == 0 && ++depth > 1)
                return true;
            if (text[i] == '}' && depth > 0)
                --depth;
        }
        return false;
    }

    void take(std::string name) {
        if (name.front() == '.') {
            std::size_t last = name.find_last_not_of('.');
            if (last != std::string::npos)
                relative_.insert(name.substr(name.rfind('.') + 1));
        }
        // `params.lr-1` in a calculation reads params.lr.
        if (std::size_t minus = name.find('-'); minus != std::string::npos)
            names_.insert(name.substr(0, minus));
        names_.insert(std::move(name));
    }

    std::set<std::string, std::less<>> names_;
    std::set<std::string, std::less<>> relative_;
    bool anything_ = false;
};

void warn(const Entry& entry,
          const std::string& path,
          const Names& names,
          bool of_group,
          Diagnostics& diagnostics) {
    const Node& value = *entry.value;
    if (value.is_map() && !value.entries.empty()) {
        for (const Entry& inner : value.entries)
            warn(inner, path + "." + inner.key, names, of_group, diagnostics);
        return;
    }
    if (names.reads(path))
        return;
    diagnostics
        .warning(code::kUnused, entry.where, fmt::format("nothing in this recipe reads '{}'", path))
        .at_key(path)
        .with_hint(of_group ? fmt::format("read it with ${{{}}}", path)
                            : fmt::format("read it with ${{{}}}, or take it out", path));
}

}  // namespace

void warn_of_unused(const Recipe& recipe, Diagnostics& diagnostics) {
    Names names;
    names.collect(*recipe.root);
    if (names.anything())
        return;
    std::set<std::string> packages;
    for (const Choice& choice : recipe.defaults)
        if (!choice.package.empty())
            packages.insert(choice.package.substr(0, choice.package.find('.')));
    static constexpr std::string_view kOwn[] = {"stages", "inputs", "outputs", "schema", "sweep"};
    for (const Entry& entry : recipe.root->entries) {
        bool of_group = packages.count(entry.key) != 0 &&
                        std::find(std::begin(kOwn), std::end(kOwn), entry.key) == std::end(kOwn);
        if (entry.key == "params" || of_group)
            warn(entry, entry.key, names, of_group, diagnostics);
    }
}

}  // namespace stillroom
