#include "engine/schema/validate.h"

#include "engine/schema/evaluator.h"
#include "engine/schema/metaschemas.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace stillroom {

std::vector<Mistake> validate(const Schema& schema,
                              const NodePtr& value,
                              const ValidateOptions& options) {
    // Nearly every value fits: find that out without collecting.
    if (fits(schema, value, options))
        return {};
    std::vector<Mistake> mistakes;
    Evaluator(options, &mistakes).run(schema.root(), *value);
    std::stable_sort(mistakes.begin(), mistakes.end(), [](const Mistake& a, const Mistake& b) {
        return a.where.begin < b.where.begin;
    });
    // Two branches of allOf may ask for the same thing.
    std::set<std::tuple<std::string, std::string>> seen;
    std::erase_if(mistakes, [&](const Mistake& mistake) {
        return !seen.emplace(mistake.path, mistake.message).second;
    });
    return mistakes;
}

bool fits(const Schema& schema, const NodePtr& value, const ValidateOptions& options) {
    return Evaluator(options, nullptr).run(schema.root(), *value);
}

std::vector<Mistake> mistakes_as_schema(const NodePtr& document) {
    Diagnostics none;
    std::string uri = "https://json-schema.org/draft/2020-12/schema";
    Schema metaschema = compile(built_in_schema(uri), uri, nullptr, none);
    return validate(metaschema, document);
}

Diagnostic diagnostic_of(const Mistake& mistake) {
    Diagnostic diagnostic;
    diagnostic.code = mistake.code;
    diagnostic.where = mistake.where;
    diagnostic.message = mistake.message;
    diagnostic.key = mistake.path;
    diagnostic.hint = mistake.hint;
    return diagnostic;
}

}  // namespace stillroom
