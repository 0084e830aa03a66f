#include "engine/schema/marks.h"

#include "engine/document/scalar.h"
#include "engine/schema/evaluator.h"

#include <algorithm>

namespace stillroom {
namespace {

constexpr int kDeepest = 200;  // schemas inside one another: the profile has no endless ones

/// Descends into a value and the schemas that say something about it.
class Marker {
public:
    Marker() {
        options_.typing = Typing::recipe;
        options_.accept_missing = true;
        options_.accept_references = true;
        options_.written_only = true;
    }

    void mark(const SubSchema& schema, const Node& value, Marks& marks) {
        if (schema.always || ++depth_ > kDeepest)
            return;
        own(*schema.node, marks);
        for (const SubSchema* next : in_place(schema, value))
            mark(*next, value, marks);
        for (const Entry& entry : value.entries)
            children(of_key(schema, entry.key), entry.key, *entry.value, marks);
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            const SubSchema* item =
                i < schema.prefix_items.size() ? schema.prefix_items[i] : schema.items;
            children({item}, std::to_string(i), *value.items[i], marks);
        }
        --depth_;
    }

private:
    static void own(const Node& schema, Marks& marks) {
        auto text = [&](std::string_view keyword) {
            NodePtr said = schema.get(keyword);
            return said ? said->text : std::string();
        };
        marks.ignored |= text("x-cache") == "ignore";
        marks.input |= text("x-path") == "input";
        marks.output |= text("x-path") == "output";
        NodePtr secret = schema.get("x-secret");
        marks.secret |= secret && boolean_value(*secret);
    }

    void children(const std::vector<const SubSchema*>& schemas,
                  const std::string& key,
                  const Node& value,
                  Marks& marks) {
        Marks inner;
        for (const SubSchema* schema : schemas)
            if (schema)
                mark(*schema, value, inner);
        if (inner.any())
            merge(marks.children[key], inner);
    }

    static void merge(Marks& into, const Marks& from) {
        into.ignored |= from.ignored;
        into.secret |= from.secret;
        into.input |= from.input;
        into.output |= from.output;
        for (const auto& [key, marks] : from.children)
            merge(into.children[key], marks);
    }

    static std::vector<const SubSchema*> of_key(const SubSchema& schema, const std::string& key) {
        std::vector<const SubSchema*> over;
        if (const SubSchema* property = schema.property(key))
            over.push_back(property);
        for (const auto& [pattern, property] : schema.pattern_properties)
            if (pattern.find_in(key) == Pattern::Match::yes)
                over.push_back(property);
        if (over.empty() && schema.additional_properties)
            over.push_back(schema.additional_properties);
        return over;
    }

    std::vector<const SubSchema*> in_place(const SubSchema& schema, const Node& value) {
        std::vector<const SubSchema*> out;
        if (schema.ref)
            out.push_back(schema.ref);
        out.insert(out.end(), schema.all_of.begin(), schema.all_of.end());
        for (const auto* branches : {&schema.any_of, &schema.one_of}) {
            auto chosen = std::find_if(branches->begin(), branches->end(), [&](const auto* branch) {
                return takes(*branch, value);
            });
            if (chosen != branches->end())
                out.push_back(*chosen);
        }
        if (schema.condition)
            out.push_back(takes(*schema.condition, value) ? schema.consequence
                                                          : schema.alternative);
        std::erase(out, nullptr);
        return out;
    }

    bool takes(const SubSchema& schema, const Node& value) {
        return Evaluator(options_, nullptr).run(schema, value);
    }

    ValidateOptions options_;
    int depth_ = 0;
};

/// A path said of a list is said of each item.
void hand_down(const Node& value, Marks& marks) {
    if (value.is_list() && (marks.input || marks.output)) {
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            Marks& item = marks.children[std::to_string(i)];
            item.input |= marks.input;
            item.output |= marks.output;
        }
        marks.input = marks.output = false;
    }
    for (auto& [key, inner] : marks.children) {
        NodePtr child = value.is_list() ? value.items[std::stoul(key)] : value.get(key);
        hand_down(*child, inner);
    }
}

}  // namespace

const Marks* Marks::child(std::string_view key) const {
    auto found = children.find(key);
    return found == children.end() ? nullptr : &found->second;
}

Marks marks_of(const Schema& schema, const NodePtr& value) {
    Marks marks;
    Marker().mark(schema.root(), *value, marks);
    hand_down(*value, marks);
    return marks;
}

}  // namespace stillroom
