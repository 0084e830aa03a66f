#include "engine/schema/keywords.h"

#include <algorithm>
#include <iterator>

namespace stillroom {
namespace {

struct Keyword {
    std::string_view name;
    KeywordForm form;
};

constexpr Keyword kKeywords[] = {{"$defs", KeywordForm::map},
                                 {"additionalProperties", KeywordForm::schema},
                                 {"allOf", KeywordForm::list},
                                 {"anyOf", KeywordForm::list},
                                 {"contains", KeywordForm::schema},
                                 {"contentSchema", KeywordForm::schema},
                                 {"dependentSchemas", KeywordForm::map},
                                 {"else", KeywordForm::schema},
                                 {"if", KeywordForm::schema},
                                 {"items", KeywordForm::schema},
                                 {"not", KeywordForm::schema},
                                 {"oneOf", KeywordForm::list},
                                 {"patternProperties", KeywordForm::map},
                                 {"prefixItems", KeywordForm::list},
                                 {"properties", KeywordForm::map},
                                 {"propertyNames", KeywordForm::schema},
                                 {"then", KeywordForm::schema},
                                 {"unevaluatedItems", KeywordForm::schema},
                                 {"unevaluatedProperties", KeywordForm::schema}};

}  // namespace

KeywordForm keyword_form(std::string_view keyword) {
    auto found = std::lower_bound(std::begin(kKeywords),
                                  std::end(kKeywords),
                                  keyword,
                                  [](const Keyword& a, std::string_view b) { return a.name < b; });
    return found != std::end(kKeywords) && found->name == keyword ? found->form
                                                                  : KeywordForm::other;
}

}  // namespace stillroom
