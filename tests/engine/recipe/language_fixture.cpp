#include "tests/engine/recipe/language_fixture.h"

#include "engine/document/scalar.h"
#include "engine/recipe/override_casts.h"

namespace stillroom::test {

const ResolverTable& case_resolvers() {
    static const ResolverTable table = [] {
        ResolverTable out = standard_resolvers();
        out["f"] = [](ResolverCall& call) -> NodePtr {
            if (call.arguments().size() == 1)
                return call.arguments()[0];
            auto list = make_list(call.where());
            list->items = call.arguments();
            return list;
        };
        out["g"] = [](ResolverCall& call) -> NodePtr {
            Decimal sum;
            for (const NodePtr& argument : call.arguments())
                sum = sum + decimal_value(*argument).value_or(Decimal());
            return make_integer(sum.to_int64().value_or(0), call.where());
        };
        out["mk"] = [](ResolverCall& call) -> NodePtr {
            auto map = make_map(call.where());
            map->entries.push_back({"k", call.where(), make_integer(1, call.where()), false});
            return map;
        };
        return out;
    }();
    return table;
}

ResolveOptions case_options() {
    ResolveOptions options;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "E1")
            return "10";
        if (name == "E0")
            return "";
        return std::nullopt;
    };
    options.allowed_names = {"*"};
    options.resolvers = &case_resolvers();
    return options;
}

}  // namespace stillroom::test
