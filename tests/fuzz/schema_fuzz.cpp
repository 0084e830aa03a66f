// A map {schema, value} goes in. The verdict must not depend on the order of keys, collecting must
// agree with the quick answer, and what fits must still fit with its defaults and types filled in.

#include "engine/document/document.h"
#include "engine/schema/defaults.h"
#include "engine/schema/lookup.h"
#include "engine/schema/validate.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>

namespace {

using namespace stillroom;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

NodePtr backwards(const Node& node) {
    std::shared_ptr<Node> out = copy(node);
    std::reverse(out->entries.begin(), out->entries.end());
    for (Entry& entry : out->entries)
        entry.value = backwards(*entry.value);
    for (NodePtr& item : out->items)
        item = backwards(*item);
    return out;
}

/// The mistakes as a set, or nothing where the schema costs too much.
std::optional<std::set<std::string>> told(const Schema& schema,
                                          const NodePtr& value,
                                          const ValidateOptions& options) {
    try {
        std::set<std::string> out;
        for (const Mistake& mistake : validate(schema, value, options)) {
            require(!mistake.message.empty(), "a mistake has a message");
            require(mistake.code >= 400 || mistake.code == 15, "a mistake has a code");
            out.insert(mistake.path + ": " + mistake.message);
        }
        require(out.empty() == fits(schema, value, options), "collecting agrees");
        return out;
    } catch (const Error&) {
        return std::nullopt;
    }
}

void check_completed(const Schema& schema, const NodePtr& value, const ValidateOptions& options) {
    ValidateOptions written = options;
    written.written_only = true;
    try {
        NodePtr filled = with_defaults(schema, value);
        require(told(schema, filled, written).value_or(std::set<std::string>()).empty(),
                "defaults count as absent");
        NodePtr result = typed(schema, value);
        require(deep_equal(*typed(schema, result), *result), "what is typed stays as it is");
    } catch (const Error&) {
        // The schema costs too much.
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Sources sources;
    Diagnostics diagnostics;
    const Source& source =
        sources.add("input", std::string(reinterpret_cast<const char*>(data), size));
    Document document = read_yaml(source, Limits(), diagnostics);
    NodePtr text = document.root ? document.root->get("schema") : nullptr;
    NodePtr value = document.root ? document.root->get("value") : nullptr;
    if (!text || !value)
        return 0;
    Schema schema = compile(text, "", nullptr, diagnostics);
    require(schema ? diagnostics.ok() : !diagnostics.ok(), "refused exactly with a reason");
    render(diagnostics, sources, RenderOptions());
    Diagnostics again;
    Schema turned = compile(backwards(*text), "", nullptr, again);
    require(static_cast<bool>(schema) == static_cast<bool>(turned), "a schema in any order");
    if (!schema)
        return 0;
    keys_at(schema, {});
    for (Typing typing : {Typing::json, Typing::recipe}) {
        ValidateOptions options;
        options.typing = typing;
        options.most_steps = 20'000;
        auto mistakes = told(schema, value, options);
        if (!mistakes)
            continue;
        auto other_value = told(schema, backwards(*value), options);
        require(!other_value || *other_value == *mistakes, "a value in any order");
        auto other_schema = told(turned, value, options);
        require(!other_schema || other_schema->empty() == mistakes->empty(), "rules in any order");
        if (mistakes->empty() && typing == Typing::recipe)
            check_completed(schema, value, options);
    }
    return 0;
}
