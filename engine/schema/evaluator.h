#pragma once

#include "engine/schema/compiled.h"
#include "engine/schema/validate.h"

#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A step from the root of the checked value to the part at hand; lives on the stack.
struct Step {
    const Step* parent = nullptr;
    const Entry* entry = nullptr;  // of a map's value
    std::size_t index = 0;         // of a list's item
};

/// Which keys and items some schema has looked at.
struct Evaluated {
    std::vector<bool> properties, items;

    explicit Evaluated(const Node& node)
        : properties(node.entries.size()),
          items(node.items.size()) {}
    void add(const Evaluated& other);
};

/// Applies schemas to values. Without a list of mistakes it stops at the first one; with it, it
/// goes on and collects. Alternatives (anyOf, oneOf, not, if, contains) are always tried silently
/// first, and one chosen branch is then asked for its mistakes: so the time is bounded by steps
/// times depth, never exponential in the depth of the value.
class Evaluator {
public:
    Evaluator(const ValidateOptions& options, std::vector<Mistake>* mistakes)
        : options_(options),
          mistakes_(mistakes) {}

    bool run(const SubSchema& schema, const Node& value);

    /// Silent: does the schema take the value?
    bool takes(const SubSchema& schema, const Node& value, const Step& at);

private:
    friend class BranchChooser;

    bool apply(const SubSchema& schema, const Node& node, const Step& at, Evaluated* gathered);
    bool check(const SubSchema& schema, const Node& node, const Step& at, Evaluated* gathered);

    bool check_type(const SubSchema& schema, const Node& node, const View& view, const Step& at);
    bool check_values(const SubSchema& schema, const Node& node, const Step& at);
    bool check_number(const SubSchema& schema, const Node& node, const View& view, const Step& at);
    bool check_text(const SubSchema& schema, const Node& node, const Step& at);
    bool check_list(const SubSchema& schema, const Node& node, const Step& at, Evaluated* gathered);
    bool check_contains(const SubSchema& schema,
                        const Node& node,
                        const Step& at,
                        Evaluated* gathered);
    bool check_unique(const Node& node, const Step& at);
    bool check_map(const SubSchema& schema, const Node& node, const Step& at, Evaluated* gathered);
    bool check_keys(const SubSchema& schema, const Node& node, const Step& at);
    bool check_entries(const SubSchema& schema,
                       const Node& node,
                       const Step& at,
                       Evaluated* gathered);
    bool check_in_place(const SubSchema& schema,
                        const Node& node,
                        const Step& at,
                        Evaluated* gathered);
    bool check_any_of(const SubSchema& schema,
                      const Node& node,
                      const Step& at,
                      Evaluated* gathered);
    bool check_one_of(const SubSchema& schema,
                      const Node& node,
                      const Step& at,
                      Evaluated* gathered);
    bool check_unevaluated(const SubSchema& schema,
                           const Node& node,
                           const Step& at,
                           Evaluated& gathered);

    /// Tries a branch silently; what it looked at is gathered only if it takes the value.
    bool tries(const SubSchema& schema, const Node& node, const Step& at, Evaluated* gathered);
    bool is_open(const Node& node) const;
    bool is_written(const Entry& entry) const;
    const Entry* written(const Node& map, std::string_view key) const;
    const SubSchema& outermost(const SubSchema& schema) const;

    bool collecting() const { return mistakes_ != nullptr; }
    Mistake& report(int code, Span where, const Node& node, const Step& at, std::string message);
    void unknown_key(const SubSchema& schema, const Entry& entry, const Node& map, const Step& at);
    Span key_of(const Step& at, const Node& node) const;
    std::string map_name(const Step& at) const;
    std::string path_of(const Step& at) const;
    std::string pointer_of(const Step& at) const;

    const ValidateOptions& options_;
    std::vector<Mistake>* mistakes_;
    const Node* root_ = nullptr;                // the whole value
    std::vector<const SchemaResource*> scope_;  // resources entered, outermost first
    std::size_t steps_ = 0;
    int depth_ = 0;
};

}  // namespace stillroom
