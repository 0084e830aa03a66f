#include "engine/recipe/sweep_block.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/override_key.h"
#include "engine/recipe/override_value.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

const std::vector<std::string> kParts = {"matrix", "zip", "include", "exclude"};

class BlockReader {
public:
    explicit BlockReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    SweepBlock read(const Node& block) {
        if (block.is_null())
            return {};
        if (!block.is_map()) {
            refuse(block.where, fmt::format("'sweep' is a map, not {}", describe_value(block)))
                .with_hint("write sweep: {matrix: {KEY: [..]}}");
            return {};
        }
        for (const Entry& entry : block.entries) {
            if (entry.key == "matrix")
                read_matrix(*entry.value);
            else if (entry.key == "zip")
                read_zips(*entry.value);
            else if (entry.key == "include")
                out_.include = read_rows(*entry.value, "include");
            else if (entry.key == "exclude")
                out_.exclude = read_rows(*entry.value, "exclude");
            else
                refuse(entry.where, fmt::format("unknown key '{}' in 'sweep'", entry.key))
                    .with_hint(unknown_hint(entry.key));
        }
        check_excluded_keys();
        return std::move(out_);
    }

private:
    static std::string unknown_hint(const std::string& key) {
        std::string near = did_you_mean(key, kParts);
        return near.empty() ? "its keys are " + join(kParts) : near;
    }

    Diagnostic& refuse(Span where, std::string message) {
        return diagnostics_.error(code::kSweepBlock, where, std::move(message));
    }

    bool is_map(const Node& node, std::string_view what) {
        if (node.is_map())
            return true;
        refuse(node.where, fmt::format("{} is a map of keys, not {}", what, describe_value(node)));
        return false;
    }

    /// The key as on the command line; nothing, and reported, if it is none.
    std::optional<Override> key_of(const Entry& entry) {
        Source source("", entry.key, 1, 0);
        try {
            OverrideKey key = read_override_key(source, 0);
            if (key.end == entry.key.size()) {
                Override out;
                out.is_group = key.is_group;
                out.key = key.key;
                out.path = key.path;
                out.package = key.package;
                out.where = out.key_where = entry.where;
                return out;
            }
            refuse(entry.where, fmt::format("'{}' is no key", escape_controls(entry.key)));
        } catch (OverrideMistake& mistake) {
            diagnostics_.error(mistake.code, entry.where, mistake.message).with_hint(mistake.hint);
        }
        return std::nullopt;
    }

    static Override with_value(Override key, NodePtr value) {
        key.value_where = value->where;
        key.value = std::move(value);
        key.text = spell_key(key) + spell_value(*key.value);
        return key;
    }

    /// The values of a list, or of a text that spells a sweep.
    std::vector<NodePtr> values_of(const Entry& entry) {
        const Node& node = *entry.value;
        if (node.is_list() && !node.items.empty())
            return node.items;
        if (node.kind == Kind::string) {
            try {
                Element element = ValueReader(node.text, node.where).read();
                if (element.sweep && !element.sweep->values.empty())
                    return element.sweep->values;
            } catch (OverrideMistake& mistake) {
                diagnostics_.error(mistake.code, node.where, mistake.message)
                    .with_hint(mistake.hint);
                return {};
            }
        }
        refuse(node.where,
               node.is_list() ? fmt::format("'{}' has no values", entry.key)
                              : fmt::format("'{}' is swept over a list of values, not {}",
                                            entry.key,
                                            describe_value(node)))
            .with_hint(fmt::format("write {}: [..], or \"range(..)\"", entry.key));
        return {};
    }

    void read_matrix(const Node& node) {
        if (!is_map(node, "'matrix'"))
            return;
        for (const Entry& entry : node.entries) {
            std::optional<Override> key = key_of(entry);
            std::vector<NodePtr> values = values_of(entry);
            if (!key || values.empty())
                continue;
            SweepFactor factor;
            for (NodePtr& value : values)
                factor.rows.push_back({with_value(*key, std::move(value))});
            out_.factors.push_back(std::move(factor));
        }
    }

    void read_zips(const Node& node) {
        if (!node.is_list()) {
            refuse(node.where, fmt::format("'zip' is a list of maps, not {}", describe_value(node)))
                .with_hint("write zip: [{KEY: [..], KEY: [..]}]");
            return;
        }
        for (const NodePtr& item : node.items)
            if (is_map(*item, "an item of 'zip'"))
                read_zip(*item);
    }

    void read_zip(const Node& node) {
        SweepFactor factor;
        const Entry* first = nullptr;
        for (const Entry& entry : node.entries) {
            std::optional<Override> key = key_of(entry);
            std::vector<NodePtr> values = values_of(entry);
            if (!key || values.empty())
                return;
            if (!first)
                factor.rows.resize(values.size());
            if (values.size() != factor.rows.size()) {
                diagnostics_
                    .error(code::kZipRows,
                           entry.value->where,
                           fmt::format("the lists of a zip have equal lengths: '{}' has {}, '{}' "
                                       "has {}",
                                       first->key,
                                       plural(factor.rows.size(), "value"),
                                       entry.key,
                                       plural(values.size(), "value")))
                    .note(first->value->where, "the first list");
                return;
            }
            first = first ? first : &entry;
            for (std::size_t i = 0; i < values.size(); ++i)
                factor.rows[i].push_back(with_value(*key, values[i]));
        }
        if (!first)
            refuse(node.where, "an item of 'zip' has no keys");
        else
            out_.factors.push_back(std::move(factor));
    }

    std::vector<std::vector<Override>> read_rows(const Node& node, std::string_view name) {
        std::vector<std::vector<Override>> rows;
        if (!node.is_list()) {
            refuse(node.where,
                   fmt::format("'{}' is a list of maps, not {}", name, describe_value(node)))
                .with_hint(fmt::format("write {}: [{{KEY: VALUE}}]", name));
            return rows;
        }
        for (const NodePtr& item : node.items) {
            if (!is_map(*item, fmt::format("an item of '{}'", name)))
                continue;
            std::vector<Override> row;
            for (const Entry& entry : item->entries)
                if (std::optional<Override> key = key_of(entry))
                    row.push_back(with_value(*key, entry.value));
            if (item->entries.empty())
                refuse(item->where, fmt::format("an item of '{}' has no keys", name));
            rows.push_back(std::move(row));
        }
        return rows;
    }

    /// An excluded key that nothing sweeps would silently exclude nothing.
    void check_excluded_keys() {
        std::vector<std::string> keys;
        for (const SweepFactor& factor : out_.factors)
            for (const Override& override : factor.rows.front())
                keys.push_back(override.key);
        for (const std::vector<Override>& row : out_.exclude)
            for (const Override& override : row)
                if (std::find(keys.begin(), keys.end(), override.key) == keys.end())
                    refuse(override.key_where,
                           fmt::format("'exclude' names '{}', which is not swept", override.key))
                        .with_hint(did_you_mean(override.key, keys));
    }

    Diagnostics& diagnostics_;
    SweepBlock out_;
};

}  // namespace

SweepBlock read_sweep_block(const Node& block, Diagnostics& diagnostics) {
    return BlockReader(diagnostics).read(block);
}

}  // namespace stillroom
