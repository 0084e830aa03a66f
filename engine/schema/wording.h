#pragma once

#include "engine/schema/compiled.h"
#include "engine/schema/evaluator.h"
#include "engine/schema/values.h"

#include <optional>
#include <string>
#include <string_view>

namespace stillroom {

// The words of mistakes. A `name` is the key at which the value stands ("steps"), or empty.

/// The nearest key above a value; items of a list take their list's. Empty for a whole document.
std::string at_name(const Step& at);

std::string quoted_name(std::string_view name);  ///< 'steps', or "the value"

struct TypeProblem {
    int code = 0;
    std::string message;
    std::string hint;
};
TypeProblem type_problem(const SubSchema& schema,
                         const Node& node,
                         const View& view,
                         Typing typing,
                         std::string_view name);

/// "an integer (count)", "text or null".
std::string type_words(TypeSet types, Format format);

std::string values_text(const ValueSet& set, const Node& node, std::string_view name);
std::string values_hint(const ValueSet& set, const Node& node);
/// "cosine, perplexity", cut after a dozen.
std::string value_list(const ValueSet& set, std::string_view last = "or");

std::string bound_text(std::string_view name,
                       const Node& node,
                       std::string_view words,
                       const Decimal& limit,
                       const SubSchema& schema);

/// "has 3 items, but may have at most 2"; empty where the size is right.
std::string size_text(std::size_t size,
                      const std::optional<std::size_t>& least,
                      const std::optional<std::size_t>& most,
                      std::string_view noun);

std::string pattern_text(std::string_view name,
                         const Node& node,
                         const SubSchema& schema,
                         Pattern::Match match);
std::string contains_text(std::string_view name,
                          std::size_t found,
                          std::size_t least,
                          const SubSchema& schema);
/// Values that the schema itself gives as examples, or its default.
std::string pattern_hint(const SubSchema& schema);
std::string key_name_text(const SubSchema& schema, std::string_view key);
std::string key_name_hint(const SubSchema& schema, std::string_view key);
const SubSchema& followed(const SubSchema& schema);  ///< where its `$ref`s lead
std::string forbidden_text(std::string_view name);
std::string negated_text(std::string_view name, const Node& node, const SubSchema& negated);
std::string missing_hint(const SubSchema& schema, const std::string& name);

/// True if a key of the map is the missing one, misspelt: the unknown key is reported already.
bool misspelt(const SubSchema& schema, const Node& map, const std::string& missing);

/// The keys that a schema and those applied beside it know, each once.
std::vector<std::string> known_keys(const SubSchema& schema);

}  // namespace stillroom
